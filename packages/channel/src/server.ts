/** The server's side: routes channels within a `node:http2` server that is there already. */
export { createRouter } from './server/router.ts'
export { routerDefaults } from './server/admission.ts'
export type { Attachable } from './server/intercept.ts'
export { Refusal } from './server/authorize.ts'
export type { Authorize, ChannelRequest } from './server/authorize.ts'
export type { HandlerContext } from './server/handler-context.ts'
export type {
  AgeOptions,
  DrainOptions,
  ErrorContext,
  HandleOptions,
  Handler,
  Router,
  RouterOptions,
} from './server/router.ts'
export type { QuotaLimits } from './server/quota.ts'
