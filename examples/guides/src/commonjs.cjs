const { defineRoute } = require('@h2channel/channel')
const { createClient } = require('@h2channel/channel/client')
const { json } = require('@h2channel/codecs')

const echo = defineRoute('/echo', { client: json(), server: json() })

async function main(url) {
  const client = createClient(url)
  const channel = await client.open(echo)
  await channel.send('hello')
  console.log(await channel.receive())
  await channel.close()
  await client.close()
}

main(process.argv[2]).catch((error) => {
  console.error(error)
  process.exitCode = 1
})
