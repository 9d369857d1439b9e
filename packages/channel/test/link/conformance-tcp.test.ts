import { testLinks } from './link-conformance.ts'

testLinks('TCP')
