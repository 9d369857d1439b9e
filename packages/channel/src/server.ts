/** The server's side: routes channels within a `node:http2` server that is there already. */
export { createRouter } from './router.ts'
export type { Attachable } from './attach.ts'
export type { HandlerContext } from './context.ts'
export type { HandleOptions, Handler, Router, RouterOptions } from './router.ts'
