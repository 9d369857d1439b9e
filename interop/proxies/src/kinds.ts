/** The proxies that are tested, with the configurations of this folder. */
import type { IncomingHttpHeaders } from 'node:http2'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Where `test/setup.ts` installs the programs of requirements.txt. */
export const cache: string = fileURLToPath(new URL('../../../node_modules/.cache/proxies', import.meta.url))

export interface ProxyKind {
  readonly name: string
  /** The program: a path, or a name in PATH. */
  readonly command: string
  /** How to get the program. */
  readonly hint: string
  /** The file that `args` names, and others that it names itself. */
  readonly config: string
  readonly otherConfigs?: readonly string[]
  /** Whether it terminates TLS and speaks cleartext HTTP/2 behind, or forwards TLS. */
  readonly endsTls: boolean
  /** Whether it ends a stream that is idle, after a time that its configuration sets. */
  readonly endsIdleStreams: boolean
  readonly args: (config: string, directory: string) => readonly string[]
  /** Whether an answer shows that it knows its routes, if it listens before it does. */
  readonly knowsRoutes?: (answer: IncomingHttpHeaders) => boolean
}

const debian = (name: string): string => `Install it, on Debian and Ubuntu with: apt-get install ${name}`
const wheel = (variable: string): string =>
  `Its wheel is for Linux on x86-64. Elsewhere, set ${variable} to the path of the program`

export const haproxy: ProxyKind = {
  name: 'HAProxy, mode http',
  command: process.env['HAPROXY'] ?? 'haproxy',
  hint: debian('haproxy'),
  config: 'haproxy.cfg',
  endsTls: true,
  endsIdleStreams: true,
  args: (config) => ['-db', '-f', config],
}

export const haproxyTcp: ProxyKind = {
  ...haproxy,
  name: 'HAProxy, mode tcp',
  config: 'haproxy-tcp.cfg',
  endsTls: false,
}

export const nginx: ProxyKind = {
  name: 'nginx',
  command: process.env['NGINX'] ?? 'nginx',
  hint: debian('nginx'),
  config: 'nginx.conf',
  endsTls: true,
  endsIdleStreams: true,
  args: (config, directory) => ['-p', directory, '-c', config, '-e', 'stderr', '-g', 'daemon off; master_process off;'],
}

export const nghttpx: ProxyKind = {
  name: 'nghttpx',
  command: process.env['NGHTTPX'] ?? 'nghttpx',
  hint: debian('nghttp2-proxy'),
  config: 'nghttpx.conf',
  endsTls: true,
  endsIdleStreams: true,
  args: (config) => [`--conf=${config}`, '--single-process'],
}

export const caddy: ProxyKind = {
  name: 'Caddy',
  command: process.env['CADDY'] ?? join(cache, 'bin', 'caddy'),
  hint: wheel('CADDY'),
  config: 'Caddyfile',
  endsTls: true,
  endsIdleStreams: false,
  args: (config) => ['run', '--config', config, '--adapter', 'caddyfile'],
}

/** The version of Debian 12, from 2022. */
export const caddy26: ProxyKind = {
  ...caddy,
  name: 'Caddy 2.6',
  command: process.env['CADDY26'] ?? 'caddy',
  hint: debian('caddy'),
}

export const traefik: ProxyKind = {
  name: 'Traefik',
  command: process.env['TRAEFIK'] ?? join(cache, 'bin', 'traefik'),
  hint: wheel('TRAEFIK'),
  config: 'traefik.yaml',
  otherConfigs: ['traefik-routes.yaml'],
  endsTls: true,
  endsIdleStreams: false,
  args: (config) => [`--configFile=${config}`],
  // Its own 404 has this header.
  knowsRoutes: (answer) => answer['x-content-type-options'] === undefined,
}

export const envoy: ProxyKind = {
  name: 'Envoy',
  command: process.env['ENVOY'] ?? join(cache, 'envoy', '_bin', 'envoy'),
  hint: wheel('ENVOY'),
  config: 'envoy.yaml',
  endsTls: true,
  endsIdleStreams: true,
  args: (config) => ['--config-path', config, '--disable-hot-restart', '--concurrency', '1', '--log-level', 'warning'],
}

export const proxies: readonly ProxyKind[] = [haproxy, haproxyTcp, nginx, nghttpx, caddy26, caddy, traefik, envoy]
