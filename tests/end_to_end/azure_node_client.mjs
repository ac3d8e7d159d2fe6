// OpenAI's Node client for Azure, and for Azure's newer paths; prints what they got as JSON.
// Settings: ENDPOINT, API_KEY.
import OpenAI, { AzureOpenAI } from 'openai'

const { ENDPOINT: endpoint, API_KEY: apiKey } = process.env
const apiVersion = '2024-10-21'
const messages = [{ role: 'user', content: 'Hello' }]
const clients = [
  new AzureOpenAI({ endpoint, apiKey, apiVersion, maxRetries: 0 }),
  new AzureOpenAI({ endpoint, apiKey, apiVersion, deployment: 'gpt-4.1', maxRetries: 0 }),
  new OpenAI({ baseURL: `${endpoint}/openai/v1/`, apiKey, maxRetries: 0 })
]

const results = []
for (const client of clients) {
  const model = client.deploymentName ? 'other' : 'gpt-4.1'
  const answer = await client.chat.completions.create({ model, messages })
  let text = ''
  const stream = await client.chat.completions.create({ model, messages, stream: true })
  for await (const chunk of stream) text += chunk.choices[0]?.delta?.content ?? ''
  const embeddings = await client.embeddings.create({ model, input: 'x' })
  results.push([answer.choices[0].message.content, text, Array.from(embeddings.data[0].embedding)])
}
process.stdout.write(JSON.stringify(results))
