/** The site. `scripts/docs.ts` writes its pages, from the same Markdown that the repository shows. */
import { readFileSync } from 'node:fs'
import { defineConfig } from 'vitepress'

import { slugOf } from '../../test/slug.ts'

const { sidebar } = JSON.parse(readFileSync(new URL('../pages/site.json', import.meta.url), 'utf8'))

/** Languages of code blocks that the highlighter does not know. */
const uncoloured = /^(?:promql|abnf)\b/

export default defineConfig({
  title: 'h2channel',
  description: 'Typed two-way message channels over one HTTP/2 stream',
  lang: 'en',
  base: '/h2channel/',
  srcDir: 'pages',
  cleanUrls: true,
  head: [['link', { rel: 'icon', href: 'data:,' }]],
  lastUpdated: false,
  ignoreDeadLinks: false,
  markdown: {
    anchor: { slugify: slugOf },
    config(md) {
      const fence = md.renderer.rules.fence
      md.renderer.rules.fence = (tokens, index, ...rest) => {
        const { info, content } = tokens[index]
        if (info.trim() === 'mermaid') return `<Mermaid code="${encodeURIComponent(content)}" />`
        if (uncoloured.test(info)) tokens[index].info = 'txt'
        return fence(tokens, index, ...rest)
      }
    },
  },
  themeConfig: {
    nav: [
      { text: 'Quick start', link: '/start/quickstart' },
      { text: 'Documents', link: '/documents' },
      { text: 'API', link: '/api/' },
      { text: 'SPEC', link: '/spec' },
    ],
    sidebar,
    outline: [2, 3],
    search: { provider: 'local' },
    socialLinks: [{ icon: 'github', link: 'https://github.com/h2channel/h2channel' }],
  },
})
