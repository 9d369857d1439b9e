/** Pages that are still to be written or shortened. */
export const pending = new Set<string>([
  'docs/production.md',
  'docs/operate/proxies.md',
  'docs/concepts/overview.md',
  'docs/concepts/lifecycle.md',
  'docs/concepts/backpressure.md',
  'docs/concepts/deadlines.md',
  'docs/concepts/delivery.md',
  'docs/concepts/security.md',
  'docs/concepts/glossary.md',
  'docs/operate/deploy.md',
  'docs/operate/kubernetes.md',
  'docs/operate/rolling-deploys.md',
  'docs/operate/limits.md',
  'spec/vectors',
])
