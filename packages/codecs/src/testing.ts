/** What every codec must do: named cases for the author of a codec, bound to no test runner. */
export type { CodecCase, CodecSamples, CodecSuiteOptions } from './testing/suite.ts'
export { codecSeed, codecSuite } from './testing/suite.ts'
