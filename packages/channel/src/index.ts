/** Typed two-way message channels over one HTTP/2 stream. */
export { Channel } from './core/channel.ts'
export type {
  ChannelClosed,
  ChannelOptions,
  ChannelStats,
  OnInvalid,
  OnSlow,
  Traffic,
  WaitOptions,
} from './core/channel.ts'
export type { Clock } from './runtime/clock.ts'
export { channelDefaults } from './options.ts'
export type { ChannelLimits, LimitOptions } from './options.ts'
export { ChannelError, channelErrorCodes } from './errors.ts'
export type { ChannelErrorCode, ChannelErrorOptions, Side } from './errors.ts'
export { fixedLength } from './framing/fixed-length.ts'
export type { FrameDecoder, Framing } from './framing/framing.ts'
export { lengthPrefixed } from './framing/length-prefixed.ts'
export { newlineDelimited } from './framing/newline-delimited.ts'
export { defineRoute } from './route/route.ts'
export type { ClientChannel, PathParams, Route, RouteCodecs, ServerChannel } from './route/route.ts'
