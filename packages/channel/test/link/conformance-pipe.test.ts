import { testLinks } from './link-conformance.ts'

testLinks('a pipe')
