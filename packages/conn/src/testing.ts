/** For tests of conns and of programs that use them: a server with a certificate, and a suite for transports. */
export type { ConformanceCase, ConformanceOptions, MakePair } from './conformance/suite.ts'
export { conformanceSeed, connConformance } from './conformance/suite.ts'
export type { Certificate, TestServer, TestServerOptions } from './testing/test-server.ts'
export { listen, makeCertificate, startServer } from './testing/test-server.ts'
