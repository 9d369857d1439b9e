/** What tests of programs that use channels need: both ends in memory, a clock, a whole server. */
export type { ChannelPairOptions } from './testing/channel-pair.ts'
export { channelPair } from './testing/channel-pair.ts'
export type { TestClock } from './testing/test-clock.ts'
export { testClock } from './testing/test-clock.ts'
export type { RunningServer, StartServerOptions } from './testing/test-server.ts'
export { startServer } from './testing/test-server.ts'
