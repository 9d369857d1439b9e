/** The server's side: routes channels within a `node:http2` server that is there already. */
export { createRouter } from './router.ts'
export { routerDefaults } from './admission.ts'
export type { Attachable } from './attach.ts'
export { Refusal } from './authorize.ts'
export type { Authorize, ChannelRequest } from './authorize.ts'
export type { HandlerContext } from './context.ts'
export type { AgeOptions, DrainOptions, ErrorContext, HandleOptions, Handler, Router, RouterOptions } from './router.ts'
export type { ShareLimits } from './shares.ts'
