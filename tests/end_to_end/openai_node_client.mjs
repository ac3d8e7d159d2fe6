// Operations of OpenAI's Node client, one after the other; prints {operation: result} as JSON.
// Settings: BASE_URL, API_KEY, MODEL. Binary content goes in and out as base64, in BYTES and the result.
import OpenAI, { toFile } from 'openai'

const client = new OpenAI({ baseURL: process.env.BASE_URL, apiKey: process.env.API_KEY, maxRetries: 0 })
const bytes = Buffer.from(process.env.BYTES, 'base64')
const chat = { model: process.env.MODEL, messages: [{ role: 'user', content: 'Grüße “dich” 🙂' }] }
const parameters = { type: 'object', properties: { location: { type: 'string' } } }
const tools = [{ type: 'function', function: { name: 'get_weather', parameters } }]
const schema = {
  type: 'json_schema',
  json_schema: { name: 'event', strict: true, schema: { type: 'object', properties: {} } }
}

const operations = {
  async chat () {
    return (await client.chat.completions.create(chat)).choices[0].message.content
  },
  async chat_streamed () {
    let text = ''
    const stream = await client.chat.completions.create({ ...chat, stream: true })
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? ''
    return text
  },
  async chat_with_tools () {
    const answer = await client.chat.completions.create({ ...chat, tools })
    return answer.choices[0].message.tool_calls[0].function.arguments
  },
  async chat_with_tools_streamed () {
    const stream = client.chat.completions.stream({ ...chat, tools })
    const answer = await stream.finalChatCompletion()
    return answer.choices[0].message.tool_calls[0].function.arguments
  },
  async chat_with_schema () {
    const answer = await client.chat.completions.parse({ ...chat, response_format: schema })
    return answer.choices[0].message.parsed ?? JSON.parse(answer.choices[0].message.content)
  },
  async response () {
    return (await client.responses.create({ model: 'gpt-4.1', input: 'Grüße' })).output_text
  },
  async response_streamed () {
    const events = []
    const stream = await client.responses.create({ model: 'gpt-4.1', input: 'Hi', stream: true })
    for await (const event of stream) events.push(event)
    const deltas = events.filter(({ type }) => type === 'response.output_text.delta')
    return [deltas.map(({ delta }) => delta).join(''), events.at(-1).type]
  },
  async embeddings () {
    const model = 'text-embedding-3-small'
    const answer = await client.embeddings.create({ model, input: ['Grüße'] })
    return Array.from(answer.data[0].embedding)
  },
  async models () {
    return (await client.models.list()).data.map(({ id }) => id)
  },
  async image () {
    const prompt = 'A sea otter'
    return (await client.images.generate({ model: 'gpt-image-1', prompt })).data[0].b64_json
  },
  async transcription () {
    const file = await toFile(bytes, 'speech.wav', { type: 'audio/wav' })
    return (await client.audio.transcriptions.create({ model: 'whisper-1', file })).text
  },
  async speech () {
    const request = { model: 'tts-1', voice: 'alloy', input: 'Hello' }
    const answer = await client.audio.speech.create(request)
    return Buffer.from(await answer.arrayBuffer()).toString('base64')
  },
  async unknown_key () {
    const { status, code } = await client.withOptions({ apiKey: 'fk-unknown' }).models.list()
      .catch((error) => error)
    return { status, code }
  }
}

const results = {}
for (const [name, operation] of Object.entries(operations)) results[name] = await operation()
process.stdout.write(JSON.stringify(results))
