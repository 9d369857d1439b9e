/** What a web page can do without a gateway: all questions first, then the answers. */
// #region ask
export async function ask(url: string, messages: unknown[], onAnswer: (answer: unknown) => void): Promise<void> {
  const type = 'application/x-ndjson'
  const body = messages.map((message) => `${JSON.stringify(message)}\n`).join('')
  const response = await fetch(url, { method: 'POST', headers: { 'content-type': type, accept: type }, body })
  if (response.body === null || !response.ok) throw new Error(`${response.status}: ${await response.text()}`)
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  for (let rest = ''; ;) {
    const { done, value } = await reader.read()
    if (done) return
    const lines = (rest + value).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) onAnswer(JSON.parse(line))
  }
}
// #endregion
