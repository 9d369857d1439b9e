/**
 * A page of another site, in a real browser, at a route that a cookie opens. Each case also shows that the browser did
 * send the request, with the cookie where it would. So it was the server that refused the page.
 */
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import type { Site } from './site.ts'
import { startSite } from './site.ts'

let site: Site

beforeAll(async () => {
  site = await startSite()
  // The user logs in at the bank.
  await using page = await site.browser.newPage()
  await page.goto(site.page('bank.test'))
})

afterAll(() => site[Symbol.asyncDispose]())

/** A page of this host. */
async function visit(host: string): Promise<Page> {
  const page = await site.browser.newPage()
  await page.goto(site.page(host))
  site.ran()
  return page
}

const jsonType = 'application/vnd.h2channel+json'

/** One message. Its bytes are also valid text, because every JSON route accepts lines. */
const line = '{"to":"mallory"}\n'

/** The input of a program in a page. */
interface Task {
  readonly url: string
  readonly line: string
  readonly type: string
}

const taskOf = (what: string): Task => ({
  url: new URL(`/transfer/${what}`, site.page('bank.test')).href,
  line,
  type: jsonType,
})

interface Attempt {
  readonly what: string
  /** Runs in the page. */
  readonly run: (task: Task) => unknown
  /** The method of the request that reaches the server, and the status of the answer. */
  readonly method?: string
  readonly status?: number
  /** Whether the browser sends the cookie: not with a preflight. */
  readonly cookie?: boolean
}

const attempts: readonly Attempt[] = [
  {
    what: 'fetch-without-a-type',
    run: ({ url, line: body }) =>
      fetch(url, { method: 'POST', mode: 'no-cors', credentials: 'include', body: new Blob([body]) }),
  },
  {
    what: 'fetch-of-text',
    run: ({ url, line: body }) => fetch(url, { method: 'POST', mode: 'no-cors', credentials: 'include', body }),
  },
  {
    what: 'fetch-without-a-referrer',
    run: ({ url, line: body }) => {
      const init = { method: 'POST', mode: 'no-cors', credentials: 'include', referrerPolicy: 'no-referrer' } as const
      return fetch(url, { ...init, body: new Blob([body]) })
    },
  },
  {
    what: 'fetch-of-a-form',
    run: ({ url, line: body }) => {
      const form = new URLSearchParams({ body })
      return fetch(url, { method: 'POST', mode: 'no-cors', credentials: 'include', body: form })
    },
  },
  {
    what: 'fetch-that-reads-the-answer',
    run: ({ url, line: body }) =>
      fetch(url, { method: 'POST', credentials: 'include', body: new Blob([body]) }).catch(() => {}),
  },
  {
    what: 'fetch-with-the-type',
    run: ({ url, line: body, type }) =>
      fetch(url, { method: 'POST', credentials: 'include', headers: { 'content-type': type }, body }).catch(() => {}),
    method: 'OPTIONS',
    cookie: false,
  },
  {
    what: 'fetch-by-put',
    run: ({ url, line: body }) =>
      fetch(url, { method: 'PUT', credentials: 'include', body: new Blob([body]) }).catch(() => {}),
    method: 'OPTIONS',
    cookie: false,
  },
  {
    what: 'fetch-by-get',
    run: ({ url }) => fetch(url, { mode: 'no-cors', credentials: 'include' }),
    method: 'GET',
  },
  {
    what: 'image',
    run: ({ url }) => {
      new Image().src = url
    },
    method: 'GET',
  },
  {
    what: 'beacon-without-a-type',
    run: ({ url, line: body }) => navigator.sendBeacon(url, new Blob([body])),
  },
  {
    what: 'beacon-of-text',
    run: ({ url, line: body }) => navigator.sendBeacon(url, body),
  },
  {
    what: 'beacon-with-the-type',
    run: ({ url, line: body, type }) => navigator.sendBeacon(url, new Blob([body], { type })),
    method: 'OPTIONS',
    cookie: false,
  },
  {
    what: 'form',
    run: ({ url, line: body }) => {
      const frame = document.createElement('iframe')
      frame.name = 'hidden'
      const form = document.createElement('form')
      Object.assign(form, { method: 'post', action: url, enctype: 'text/plain', target: frame.name })
      const input = document.createElement('input')
      Object.assign(input, { name: body.slice(0, -3), value: `"}` })
      form.append(input)
      document.body.append(frame, form)
      form.submit()
    },
  },
  {
    what: 'sandbox-without-an-origin',
    run: ({ url, line: body }) => {
      const frame = document.createElement('iframe')
      frame.setAttribute('sandbox', 'allow-scripts')
      const init = `{ method: 'POST', mode: 'no-cors', credentials: 'include', body: new Blob([${JSON.stringify(body)}]) }`
      frame.srcdoc = `<script>fetch(${JSON.stringify(url)}, ${init})</script>`
      document.body.append(frame)
    },
  },
]

describe.each([
  ['another site', 'evil.test', 'cross-site'],
  ['the same site', 'blog.bank.test', 'same-site'],
])('a page of %s', (_what, host, sites) => {
  test.each(attempts)('$what', async ({ what: name, run, method = 'POST', status = 403, cookie = true }) => {
    const what = `${host}-${name}`
    await using page = await visit(host)
    await page.evaluate(run, taskOf(what))
    const { headers, status: answered } = await site.over(what, method)
    // A frame without an origin belongs to another site, wherever it came from.
    expect(headers['sec-fetch-site']).toBe(name.startsWith('sandbox') ? 'cross-site' : sites)
    expect(headers.cookie).toBe(cookie ? 'user=ada' : undefined)
    expect(answered).toBe(status)
    expect(site.ran()).toEqual([])
  })
})

/** Sends messages as a page that knows the format, and returns what it reads. */
const converse = async ({ url, type }: Task): Promise<unknown> => {
  const frames = ['{"to":"bob"}', '{"to":"carol"}'].map((message) => {
    const text = new TextEncoder().encode(message)
    const frame = new Uint8Array(4 + text.length)
    new DataView(frame.buffer).setUint32(0, text.length)
    frame.set(text, 4)
    return frame
  })
  const headers = { 'content-type': type, accept: type }
  const response = await fetch(url, { method: 'POST', credentials: 'include', headers, body: new Blob(frames) })
  const bytes = new Uint8Array(await response.arrayBuffer())
  const answers: unknown[] = []
  for (let at = 0; at < bytes.length;) {
    const length = new DataView(bytes.buffer).getUint32(at)
    answers.push(JSON.parse(new TextDecoder().decode(bytes.subarray(at + 4, at + 4 + length))))
    at += 4 + length
  }
  return { status: response.status, type: response.headers.get('content-type'), answers }
}

describe.each([
  ['the server’s own origin', 'bank.test', 'same-origin'],
  ['an origin that is listed', 'shop.test', 'cross-site'],
])('a page of %s', (_what, host, sites) => {
  test('opens a channel with the cookie, and reads the answers', async () => {
    await using page = await visit(host)
    const told = await page.evaluate(converse, taskOf(host))
    expect(told).toEqual({
      status: 200,
      type: jsonType,
      answers: [{ done: { to: 'bob' } }, { done: { to: 'carol' } }],
    })
    const { headers } = await site.over(host, 'POST')
    expect([headers['sec-fetch-site'], headers.cookie]).toEqual([sites, 'user=ada'])
    expect(site.ran()).toEqual([
      `authorize ${host}`,
      `handle ${host}`,
      'receive {"to":"bob"}',
      'receive {"to":"carol"}',
    ])
  })

  test('may read the reason of a refusal', async () => {
    await using page = await visit(host)
    const told = await page.evaluate(
      async ({ url, type }) => {
        const init = { method: 'POST', credentials: 'omit', headers: { 'content-type': type }, body: '' } as const
        const response = await fetch(url, init)
        return [response.status, await response.text()]
      },
      taskOf(`${host}-refused`),
    )
    expect(told).toEqual([401, 'who are you?\n'])
    expect(site.ran()).toEqual([`authorize ${host}-refused`])
  })
})
