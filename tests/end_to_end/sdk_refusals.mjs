// Requests of OpenAI's Node client with its usual retries, one for each key; prints as JSON what came of each.
// Settings: BASE_URL, KEYS ({name: key}), MODELS ({name: model}).
import OpenAI from 'openai'

const results = {}
const models = JSON.parse(process.env.MODELS)
for (const [name, apiKey] of Object.entries(JSON.parse(process.env.KEYS))) {
  let attempts = 0
  const counting = (...request) => { attempts += 1; return fetch(...request) }
  const client = new OpenAI({ baseURL: process.env.BASE_URL, apiKey, maxRetries: 2, fetch: counting })
  try {
    const messages = [{ role: 'user', content: 'Hello' }]
    const stream = await client.chat.completions.create({ model: models[name] ?? 'gpt', messages, stream: true })
    let text = ''
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? ''
    results[name] = [text, attempts]
  } catch (error) {
    results[name] = [`${error.status} ${error.code}`, attempts]
  }
}
console.log(JSON.stringify(results))
