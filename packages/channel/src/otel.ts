/** OpenTelemetry for routers and clients: metrics, spans and trace context. It needs `@opentelemetry/api`. */
export type { InstrumentOptions } from './observe/otel.ts'
export { instrument } from './observe/otel.ts'
