import DefaultTheme from 'vitepress/theme'

import Mermaid from './Mermaid.vue'
// oxlint-disable-next-line import/no-unassigned-import -- a stylesheet
import './style.css'

export default {
  extends: DefaultTheme,
  enhanceApp({ app }) {
    app.component('Mermaid', Mermaid)
  },
}
