/** Named test cases for authors of codecs, for any test runner. */
export type { CodecCase, CodecSamples, CodecSuiteOptions } from './testing/suite.ts'
export { codecSeed, codecSuite } from './testing/suite.ts'
