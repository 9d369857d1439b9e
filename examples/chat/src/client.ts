/** One member of the chat. */
import { ChannelError } from '@h2channel/channel'
import { createClient } from '@h2channel/channel/client'
import { userInfo } from 'node:os'
import { clearLine, createInterface, cursorTo } from 'node:readline'
import { parseArgs } from 'node:util'

import type { FromServer } from './routes.ts'
import { chat, Name } from './routes.ts'

const { values } = parseArgs({
  options: {
    url: { type: 'string', default: 'http://127.0.0.1:8080' },
    name: { type: 'string', default: userInfo().username },
  },
})

try {
  process.exitCode = await join(Name.parse(values.name))
} catch (error) {
  if (!(error instanceof ChannelError)) throw error
  console.error(`${error.code}: ${error.message}`)
  process.exitCode = 1
}

async function join(name: string): Promise<number> {
  await using client = createClient(values.url)
  await using channel = await client.open(chat)
  await channel.send({ type: 'login', name })

  const answer = await channel.receive()
  if (answer?.type !== 'welcome') {
    console.error(answer?.type === 'refused' ? `refused: ${answer.reason}` : 'no welcome')
    return 1
  }
  console.log(answer.members.length === 0 ? 'no other member is here' : `here: ${answer.members.join(', ')}`)

  const { stdin, stdout } = process
  const isTerminal = stdin.isTTY && stdout.isTTY
  const lines = createInterface({ input: stdin, ...(isTerminal ? { output: stdout } : {}), prompt: `${name}> ` })

  const say = async (): Promise<void> => {
    if (isTerminal) lines.prompt()
    for await (const line of lines) {
      const text = line.replaceAll(/\p{Cc}/gu, ' ').trim()
      if (text !== '') await channel.send({ type: 'say', text })
      if (isTerminal) lines.prompt()
    }
    await channel.end()
  }

  const listen = async (): Promise<void> => {
    try {
      for await (const message of channel) show(wordsOf(message))
    } finally {
      lines.close()
    }
  }

  const show = (text: string): void => {
    if (!isTerminal) {
      console.log(text)
      return
    }
    // Keeps the line that is being typed below.
    clearLine(stdout, 0)
    cursorTo(stdout, 0)
    console.log(text)
    lines.prompt(true)
  }

  await Promise.all([listen(), say()])
  return 0
}

function wordsOf(message: FromServer): string {
  switch (message.type) {
    case 'welcome':
      return `here: ${message.members.join(', ')}`
    case 'refused':
      return `refused: ${message.reason}`
    case 'joined':
      return `* ${message.name} joined`
    case 'left':
      return `* ${message.name} left`
    case 'said':
      return `${message.name}: ${message.text}`
  }
}
