import OpenAI from 'openai'

const client = new OpenAI({
  baseURL: process.env.SLUICE_URL + '/v1',
  apiKey: process.env.FORWARD_KEY
})

const stream = await client.chat.completions.create({
  model: 'gpt-6-luna',
  messages: [{ role: 'user', content: 'Hello' }],
  stream: true
})
for await (const chunk of stream) {
  process.stdout.write(chunk.choices?.[0]?.delta?.content ?? '')
}
process.stdout.write('\n')
