import { EventEmitter } from 'node:events'
import type { Http2Session } from 'node:http2'
import { expect, test } from 'vitest'

import type { Grant } from '../../src/limits/admission.ts'
import { Admission, routerDefaults } from '../../src/limits/admission.ts'
import { Quota } from '../../src/limits/quota.ts'
import { systemClock } from '../../src/runtime/clock.ts'

test('a connection that got GOAWAY closes with its last request, also where that got no channel', () => {
  const calls: string[] = []
  const session = Object.assign(new EventEmitter(), {
    destroyed: false,
    goaway: () => calls.push('goaway'),
    close: () => calls.push('close'),
  }) as unknown as Http2Session
  const admission = new Admission(routerDefaults.total, routerDefaults.perSession, systemClock)
  const route = new Quota('/route', {}, admission.usages)
  const grants = [1, 2].map(() => admission.admit(session, route) as Grant)
  admission.goAway(session)
  admission.goAway(session)
  for (const grant of grants) {
    calls.push('release')
    admission.release(grant)
  }
  expect(calls).toEqual(['goaway', 'release', 'release', 'close'])
})
