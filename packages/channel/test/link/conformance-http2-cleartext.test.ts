import { testLinks } from './link-conformance.ts'

testLinks('cleartext HTTP/2')
