import { testLinks } from './link-conformance.ts'

testLinks('HTTP/2 with TLS')
