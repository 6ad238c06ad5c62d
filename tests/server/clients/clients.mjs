// node clients.mjs ADDRESS: the packages `ollama` and `openai` through all that the server offers.
// The models' replies are known (../make_models.c). Every check names itself; one that fails is
// printed and the rest goes on.
import assert from 'node:assert/strict'
import { Ollama } from 'ollama'
import OpenAI from 'openai'

const address = process.argv[2]
const ollama = new Ollama({ host: address })
const openai = new OpenAI({ baseURL: `${address}/v1`, apiKey: 'none', maxRetries: 0 })
const model = 'script'
const user = (content) => [{ role: 'user', content }]
const weather = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: 'weather of a city',
    parameters: { type: 'object', required: ['city'], properties: { city: { type: 'string' } } },
  },
}
const looped = (n) => Array.from({ length: n }, (_, i) => ' ' + ['one', 'two', 'three'][i % 3])

let failures = 0
async function check(name, run) {
  try {
    await run()
  } catch (e) {
    failures++
    console.error(`FAILED: ${name}: ${e.stack}`)
  }
}

async function collect(stream) {
  const all = []
  for await (const part of stream) all.push(part)
  return all
}

async function post(path, body) {
  const reply = await fetch(address + path, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  return { status: reply.status, body: await reply.json() }
}

async function running() {
  const text = await (await fetch(`${address}/metrics`)).text()
  return Number(/^hearth_requests_running (\d+)$/m.exec(text)[1])
}

// --- ollama -------------------------------------------------------------------------------------

await check('ollama: version, list, show', async () => {
  assert.match((await ollama.version()).version, /^\d+\.\d+\.\d+$/)
  const names = (await ollama.list()).models.map((m) => m.name).sort()
  assert.deepEqual(names.slice(0, 3), ['bert:latest', 'rank:latest', 'script:latest'])
  const shown = await ollama.show({ model })
  assert.deepEqual(shown.capabilities, ['completion', 'tools', 'thinking'])
  assert.equal(shown.model_info['llama.context_length'], 2048)
  assert.match(shown.template, /messages/)
  assert.deepEqual((await ollama.show({ model: 'bert' })).capabilities, ['embedding'])
})

await check('ollama: generate', async () => {
  const whole = await ollama.generate({ model, prompt: 'h' })
  assert.equal(whole.response, 'Hello there!')
  assert.equal(whole.done_reason, 'stop')
  assert.equal(whole.eval_count, 4)
  assert.ok(whole.total_duration >= whole.eval_duration && whole.prompt_eval_count > 0)
  const parts = await collect(await ollama.generate({ model, prompt: 'h', stream: true }))
  assert.equal(parts.map((p) => p.response).join(''), 'Hello there!')
  assert.equal(parts.filter((p) => p.done).length, 1)
  assert.ok(parts.at(-1).done)
  const raw = await ollama.generate({ model, prompt: 'l', raw: true, options: { num_predict: 5 } })
  assert.equal(raw.response, looped(5).join(''))
  assert.equal(raw.done_reason, 'length')
  assert.equal(raw.prompt_eval_count, 3) // <s>, the space before a text, l
})

await check('ollama: generate with stop, system and seed', async () => {
  const stopped = await ollama.generate({ model, prompt: 'l', options: { stop: [' three'] } })
  assert.equal(stopped.response, ' one two')
  assert.equal(stopped.done_reason, 'stop')
  const plain = await ollama.generate({ model, prompt: 'h' })
  const system = await ollama.generate({ model, prompt: 'h', system: 'Kind' })
  assert.equal(system.prompt_eval_count, plain.prompt_eval_count + '<|system|>Kind'.length)
})

await check('ollama: chat', async () => {
  const whole = await ollama.chat({ model, messages: user('h') })
  assert.deepEqual(whole.message, { role: 'assistant', content: 'Hello there!' })
  const parts = await collect(await ollama.chat({ model, messages: user('h'), stream: true }))
  assert.equal(parts.map((p) => p.message.content).join(''), 'Hello there!')
  assert.equal(parts.at(-1).done_reason, 'stop')
})

await check('ollama: chat with reasoning', async () => {
  const whole = await ollama.chat({ model, messages: user('t'), think: true })
  assert.equal(whole.message.thinking, 'I wonder')
  assert.equal(whole.message.content, 'Yes')
})

await check('ollama: chat with a tool', async () => {
  const ask = { model, messages: user('c'), tools: [weather] }
  const call = { function: { name: 'get_weather', arguments: { city: 'Zürich' } } }
  const whole = await ollama.chat(ask)
  assert.deepEqual(whole.message.tool_calls.map((c) => c.function), [call.function])
  assert.equal(whole.done_reason, 'stop')
  const parts = await collect(await ollama.chat({ ...ask, stream: true }))
  const calls = parts.flatMap((p) => p.message.tool_calls ?? [])
  assert.deepEqual(calls.map((c) => c.function), [call.function])
  const messages = [...user('c'), whole.message,
    { role: 'tool', tool_name: 'get_weather', content: 'sunny, h' }]
  const next = await ollama.chat({ model, messages, tools: [weather] })
  assert.equal(next.message.content, 'Hello there!')
})

await check('ollama: ps and keep_alive', async () => {
  await ollama.generate({ model, prompt: '', keep_alive: '10m' })
  const loaded = (await ollama.ps()).models.filter((m) => m.name === 'script:latest')
  assert.equal(loaded.length, 1)
  assert.ok(loaded[0].size > 0)
  assert.equal(loaded[0].context_length, 512)
  const left = new Date(loaded[0].expires_at) - Date.now()
  assert.ok(left > 500e3 && left < 610e3, `${left} ms left`)
  const gone = await ollama.generate({ model, prompt: '', keep_alive: 0 })
  assert.equal(gone.done_reason, 'unload')
  for (let i = 0; i < 100 && (await ollama.ps()).models.length > 0; i++)
    await new Promise((done) => setTimeout(done, 50))
  assert.deepEqual((await ollama.ps()).models, [])
})

await check('ollama: errors', async () => {
  const ask = { model: 'none', messages: user('h') }
  await assert.rejects(ollama.chat(ask), (e) => e.status_code === 404 &&
    e.error === "model 'none' not found")
  await assert.rejects(ollama.pull({ model: 'none' }), (e) => e.status_code === 501)
  assert.deepEqual(await post('/api/chat', ''), {
    status: 400, body: { error: 'missing request body' } })
  assert.deepEqual(await post('/api/generate', {}), {
    status: 400, body: { error: 'model is required' } })
})

await check('ollama: logprobs', async () => {
  const ask = { model, prompt: 'l', logprobs: true, top_logprobs: 2, options: { num_predict: 3 } }
  const whole = await ollama.generate(ask)
  assert.deepEqual(whole.logprobs.map((l) => l.token), looped(3))
  for (const l of whole.logprobs) {
    assert.ok(Math.abs(l.logprob) < 1e-6) // all others are e^-71 as likely
    assert.deepEqual(l.bytes, [...new TextEncoder().encode(l.token)])
    assert.equal(l.top_logprobs.length, 2)
    assert.equal(l.top_logprobs[0].token, l.token)
    assert.ok(Math.abs(l.top_logprobs[1].logprob + 4 / Math.sqrt(1 / 320 + 1e-6)) < 1e-3)
  }
  const parts = await collect(await ollama.generate({ ...ask, stream: true }))
  assert.deepEqual(parts.flatMap((p) => p.logprobs ?? []), whole.logprobs)
})

await check('ollama: what is too long is cut and said', async () => {
  const messages = [{ role: 'system', content: 'S' }, ...Array.from({ length: 20 }, (_, i) =>
    ({ role: i % 2 ? 'assistant' : 'user', content: 'x'.repeat(50) })), ...user('h')]
  const cut = await ollama.chat({ model, messages })
  assert.equal(cut.message.content, 'Hello there!')
  const kept = cut.prompt_eval_count // <s>, the space, system, the rest
  const dropped = cut.truncated.dropped_messages
  const size = (list) => list.reduce((n, m) => n + m.role.length + 4 + m.content.length, 2)
  assert.equal(kept, size([messages[0], ...messages.slice(1 + dropped)]))
  assert.equal(cut.truncated.dropped_tokens, size(messages) - kept)
  assert.ok(kept < 512 && kept + 'assistant'.length + 54 >= 512, `${kept} kept`)
  const whole = { status: 400, body: { error: `the prompt has ${size(messages)} tokens and does ` +
    'not fit the context of 512' } }
  assert.deepEqual(await post('/api/chat', { model, messages, truncate: false }), whole)
  const raw = await ollama.generate({ model, raw: true, prompt: 'x'.repeat(599) + 'h' })
  assert.deepEqual(raw.truncated, { dropped_tokens: 602 - 511, dropped_messages: 0 })
  assert.match(raw.response, /^H/) // one token has room
  assert.equal(raw.done_reason, 'length')
})

await check('ollama: suffix', async () => {
  const filled = await ollama.generate({ model, prompt: 'a', suffix: 'b' })
  assert.equal(filled.response, 'Hello there!')
  assert.equal(filled.prompt_eval_count, 8) // <s> PRE _ a SUF _ b MID
})

await check('ollama: abort frees the slot', async () => {
  const client = new Ollama({ host: address })
  const stream = await client.generate({ model, prompt: 'l', stream: true,
    options: { num_predict: -1 } })
  let n = 0
  await assert.rejects(async () => {
    for await (const part of stream) if (part.response && ++n === 3) client.abort()
  }, { name: 'AbortError' })
  assert.equal((await ollama.generate({ model, prompt: 'h' })).response, 'Hello there!')
})

await check('ollama: embed', async () => {
  const input = ['hello', 'hello world!']
  const many = await ollama.embed({ model: 'bert', input })
  const length = (x) => Math.sqrt(x.reduce((sum, v) => sum + v * v, 0))
  assert.equal(many.embeddings.length, 2)
  for (const x of many.embeddings) assert.ok(Math.abs(length(x) - 1) < 1e-5)
  assert.ok(many.prompt_eval_count > 0)
  const one = await ollama.embed({ model: 'bert', input: input[1] })
  assert.deepEqual(one.embeddings, [many.embeddings[1]])
  const cut = (await ollama.embed({ model: 'bert', input, dimensions: 8 })).embeddings
  const scale = length(many.embeddings[0].slice(0, 8))
  cut[0].forEach((v, i) => assert.ok(Math.abs(v - many.embeddings[0][i] / scale) < 1e-5))
  assert.deepEqual((await ollama.embed({ model: 'bert', input: [] })).embeddings, [])
  const legacy = (await ollama.embeddings({ model: 'bert', prompt: 'hello' })).embedding
  const raw = length(legacy)
  assert.ok(Math.abs(raw - 1) > 1e-3)
  legacy.forEach((v, i) => assert.ok(Math.abs(v / raw - many.embeddings[0][i]) < 1e-5))
})

// --- openai -------------------------------------------------------------------------------------

await check('openai: models', async () => {
  const ids = (await collect(await openai.models.list())).map((m) => m.id).sort()
  assert.deepEqual(ids.slice(0, 3), ['bert:latest', 'rank:latest', 'script:latest'])
  assert.equal((await openai.models.retrieve('script')).id, 'script:latest')
  await assert.rejects(openai.models.retrieve('none'), OpenAI.NotFoundError)
})

await check('openai: chat', async () => {
  const whole = await openai.chat.completions.create({ model, messages: user('h') })
  assert.match(whole.id, /^chatcmpl-[a-z0-9]{24}$/)
  assert.equal(whole.choices[0].message.content, 'Hello there!')
  assert.equal(whole.choices[0].finish_reason, 'stop')
  assert.equal(whole.usage.completion_tokens, 4)
  const parts = await collect(await openai.chat.completions.create({ model, messages: user('h'),
    stream: true, stream_options: { include_usage: true } }))
  assert.equal(parts.map((p) => p.choices[0]?.delta.content ?? '').join(''), 'Hello there!')
  assert.equal(parts[0].choices[0].delta.role, 'assistant')
  assert.equal(parts.at(-2).choices[0].finish_reason, 'stop')
  assert.deepEqual(parts.at(-1).choices, [])
  assert.equal(parts.at(-1).usage.completion_tokens, 4)
  assert.equal(new Set(parts.map((p) => p.id)).size, 1)
})

await check('openai: chat with parts, stop and a limit', async () => {
  const messages = [{ role: 'user', content: [{ type: 'text', text: 'x' },
    { type: 'text', text: 'l' }] }]
  const cut = await openai.chat.completions.create({ model, messages, max_completion_tokens: 4 })
  assert.equal(cut.choices[0].message.content, looped(4).join(''))
  assert.equal(cut.choices[0].finish_reason, 'length')
  const stopped = await openai.chat.completions.create({ model, messages, stop: 'wo' })
  assert.equal(stopped.choices[0].message.content, ' one t')
})

await check('openai: reasoning', async () => {
  const whole = await openai.chat.completions.create({ model, messages: user('t') })
  assert.equal(whole.choices[0].message.reasoning_content, 'I wonder')
  assert.equal(whole.choices[0].message.content, 'Yes')
})

await check('openai: tools', async () => {
  const ask = { model, messages: user('c'), tools: [weather] }
  const whole = await openai.chat.completions.create(ask)
  const [call] = whole.choices[0].message.tool_calls
  assert.equal(whole.choices[0].finish_reason, 'tool_calls')
  assert.deepEqual(JSON.parse(call.function.arguments), { city: 'Zürich' })
  const stream = openai.chat.completions.stream(ask)
  const message = await stream.finalMessage()
  assert.equal(message.tool_calls[0].function.name, 'get_weather')
  const asked = []
  const runner = openai.chat.completions.runTools({ model, messages: user('c'), tools: [{
    type: 'function',
    function: { ...weather.function, parse: JSON.parse,
      function: (a) => { asked.push(a); return 'sunny, h' } },
  }] })
  assert.equal(await runner.finalContent(), 'Hello there!')
  assert.deepEqual(asked, [{ city: 'Zürich' }])
})

await check('openai: completions', async () => {
  const whole = await openai.completions.create({ model, prompt: 'l', max_tokens: 4 })
  assert.equal(whole.choices[0].text, looped(4).join(''))
  assert.equal(whole.choices[0].finish_reason, 'length')
  const parts = await collect(await openai.completions.create({ model, prompt: 'h', stream: true }))
  assert.equal(parts.map((p) => p.choices[0].text).join(''), 'Hello there!')
})

await check('openai: embeddings', async () => {
  const input = ['hello', 'hello world!']
  const packed = await openai.embeddings.create({ model: 'bert', input }) // asks for base64
  const plain = await openai.embeddings.create({ model: 'bert', input, encoding_format: 'float' })
  packed.data.forEach((d, i) => d.embedding.forEach((v, k) =>
    assert.equal(v, Math.fround(plain.data[i].embedding[k]))))
  assert.deepEqual(plain.data.map((d) => d.index), [0, 1])
  assert.ok(plain.usage.total_tokens > 0)
  const cut = await openai.embeddings.create({ model: 'bert', input: 'hello', dimensions: 7 })
  assert.equal(cut.data[0].embedding.length, 7) // 28 bytes: base64 with a filler
  await assert.rejects(openai.embeddings.create({ model: 'bert', input, dimensions: 1000 }),
    (e) => e instanceof OpenAI.BadRequestError && /'dimensions' is 1000/.test(e.message))
})

await check('rerank', async () => {
  const documents = ['hello', 'world', 'hello world']
  const ask = { model: 'rank', query: 'hello', documents }
  const { status, body } = await post('/v1/rerank', ask)
  assert.equal(status, 200, JSON.stringify(body))
  const scores = body.results.map((r) => r.relevance_score)
  assert.deepEqual(scores, [...scores].sort((a, b) => b - a))
  assert.deepEqual(body.results.map((r) => r.index).sort(), [0, 1, 2])
  const top = (await post('/v1/rerank', { ...ask, top_n: 1, return_documents: true })).body.results
  assert.equal(top.length, 1)
  assert.equal(top[0].document.text, documents[body.results[0].index])
})

await check('tokens and templates', async () => {
  const { body } = await post('/tokenize', { model, content: 'hé', with_pieces: true })
  assert.deepEqual(body.tokens.slice(-3).map((t) => t.piece), ['h', [0xc3], [0xa9]])
  const tokens = body.tokens.map((t) => t.id)
  assert.deepEqual((await post('/tokenize', { model, content: 'hé' })).body.tokens, tokens)
  assert.equal((await post('/detokenize', { model, tokens })).body.content, 'hé')
  assert.equal((await post('/detokenize', { model, tokens: tokens.slice(0, -1) })).status, 400)
  const shown = await post('/apply-template', { model, messages: user('h') })
  assert.equal(shown.body.prompt, '<|user|>h')
})

await check('health and metrics', async () => {
  assert.deepEqual(await (await fetch(`${address}/health`)).json(), { status: 'ok' })
  const text = await (await fetch(`${address}/metrics`)).text()
  const value = (name) => Number(new RegExp(`^hearth_${name} (\\S+)$`, 'm').exec(text)[1])
  assert.ok(value('requests_total') > 20 && value('generated_tokens_total') > 100)
  assert.equal(value('first_token_seconds_bucket{le="\\+Inf"}'), value('first_token_seconds_count'))
  assert.ok(value('next_token_seconds_count') > value('first_token_seconds_count'))
  for (let i = 0; i < 50 && (await running()) > 0; i++)
    await new Promise((done) => setTimeout(done, 20))
  assert.equal(await running(), 0)
})

await check('openai: logprobs', async () => {
  const ask = { model, messages: user('l'), max_tokens: 3, logprobs: true, top_logprobs: 1 }
  const whole = (await openai.chat.completions.create(ask)).choices[0]
  assert.deepEqual(whole.logprobs.content.map((l) => l.token), looped(3))
  assert.deepEqual(whole.logprobs.content[0].top_logprobs.map((l) => l.token), [' one'])
  const parts = await collect(await openai.chat.completions.create({ ...ask, stream: true }))
  const told = parts.flatMap((p) => p.choices[0]?.logprobs?.content ?? [])
  assert.deepEqual(told, whole.logprobs.content)
  const old = await openai.completions.create({ model, prompt: 'l', max_tokens: 2, logprobs: 1 })
  assert.deepEqual(old.choices[0].logprobs.tokens, looped(2))
  assert.deepEqual(Object.keys(old.choices[0].logprobs.top_logprobs[1]), [' two'])
})

await check('format and response_format', async () => {
  const schema = { type: 'object', required: ['city', 'days'], additionalProperties: false,
    properties: { city: { type: 'string', maxLength: 8 }, days: { type: 'integer' } } }
  const keeps = (text) => {
    const value = JSON.parse(text)
    assert.deepEqual(Object.keys(value).sort(), ['city', 'days'])
    assert.ok(typeof value.city === 'string' && value.city.length <= 8)
    assert.ok(Number.isInteger(value.days))
  }
  const format = (s) => ({ type: 'json_schema', json_schema: { name: 'trip', schema: s } })
  for (const seed of [1, 2, 3]) {
    const options = { seed, num_predict: 60, temperature: 1 }
    const chat = await ollama.chat({ model, messages: user('h'), format: schema, options })
    keeps(chat.message.content)
    keeps((await openai.chat.completions.create({ model, messages: user('h'), seed, max_tokens: 60,
      response_format: format(schema) })).choices[0].message.content)
    const any = await ollama.generate({ model, prompt: 'h', format: 'json', options })
    assert.equal(typeof JSON.parse(any.response), 'object')
  }
  const ask = { model, messages: user('h'), max_tokens: 60 }
  await assert.rejects(openai.chat.completions.create({ ...ask,
    response_format: format({ type: 'array', uniqueItems: true }) }),
    (e) => e instanceof OpenAI.BadRequestError && /uniqueItems/.test(e.message))
  await assert.rejects(openai.chat.completions.create({ ...ask, max_tokens: 2,
    response_format: format(schema) }), (e) => e instanceof OpenAI.BadRequestError)
})

await check('openai: a prompt that is too long', async () => {
  const { status, body } = await post('/v1/chat/completions', { model,
    messages: user('x'.repeat(600)) })
  assert.equal(status, 400)
  assert.equal(body.error.type, 'exceed_context_size_error')
  assert.equal(body.error.n_prompt_tokens, 2 + '<|user|>'.length + 600)
  assert.equal(body.error.n_ctx, 512)
})

await check('openai: errors', async () => {
  await assert.rejects(openai.chat.completions.create({ model: 'none', messages: user('h') }),
    (e) => e instanceof OpenAI.NotFoundError && e.type === 'not_found_error')
  await assert.rejects(openai.chat.completions.create({ model, messages: user('h'),
    temperature: 'warm' }), (e) => e instanceof OpenAI.BadRequestError &&
    /'temperature' must be a number/.test(e.message))
})

await check('openai: abort frees the slot', async () => {
  for (let i = 0; i < 8; i++) { // twice as many as there are slots
    const stream = await openai.chat.completions.create({ model, messages: user('l'),
      stream: true })
    let n = 0
    for await (const part of stream) if (part && ++n === 3) stream.controller.abort()
  }
  const whole = await openai.chat.completions.create({ model, messages: user('h') })
  assert.equal(whole.choices[0].message.content, 'Hello there!')
})

await check('replies at the same time are not mixed', async () => {
  const digits = Array.from({ length: 20 }, (_, i) => String(i % 10))
  const texts = await Promise.all(digits.map(async (d) => {
    const parts = await collect(await openai.chat.completions.create({ model, messages: user(d),
      max_tokens: 40, stream: true }))
    return parts.map((p) => p.choices[0]?.delta.content ?? '').join('')
  }))
  texts.forEach((text, i) => assert.equal(text, ` ${digits[i]}a ${digits[i]}b`.repeat(20)))
})

await check('the same seed is the same text beside others', async () => {
  const ask = (seed) => ollama.generate({ model: 'shape:tiny:Q8_0:3:latest', prompt: 'Once',
    raw: true, options: { seed, temperature: 1, num_predict: 24 } }).then((reply) => reply.response)
  const alone = [await ask(1), await ask(2), await ask(3)]
  assert.equal(new Set(alone).size, 3)
  const seeds = Array.from({ length: 12 }, (_, i) => i % 3)
  const beside = await Promise.all(seeds.map((i) => ask(i + 1)))
  assert.deepEqual(beside, seeds.map((i) => alone[i]))
})

if (failures > 0) console.error(`${failures} failed`)
process.exit(failures > 0 ? 1 : 0)
