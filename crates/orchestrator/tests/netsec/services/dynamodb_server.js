// DynamoDB servers of a test's own (dynalite, whose module is the first argument) on two free ports, which are
// printed. The second has too little capacity, of which dynalite itself never runs out: it takes half of what a
// batch asks for, and each third request is refused. They end when standard input does.

const http = require('http')

const inner = require(process.argv[2])({ createTableMs: 50, deleteTableMs: 4000 })
const refusal = JSON.stringify({
  __type: 'com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException',
  message: 'The level of configured provisioned throughput for the table was exceeded.',
})
let n = 0

/** Splits what a batch asks for into a half that is passed on and one that is left. */
function halved(operation, asked) {
  const items = asked.RequestItems
  const table = items && Object.keys(items)[0]
  if (operation == 'BatchWriteItem') {
    const all = items[table]
    const half = Math.ceil(all.length / 2)
    const left = all.slice(half)
    items[table] = all.slice(0, half)
    return left.length ? { UnprocessedItems: { [table]: left } } : {}
  }
  if (operation == 'BatchGetItem') {
    const all = items[table].Keys
    const half = Math.ceil(all.length / 2)
    const left = { ...items[table], Keys: all.slice(half) }
    items[table].Keys = all.slice(0, half)
    return left.Keys.length ? { UnprocessedKeys: { [table]: left } } : {}
  }
  return {}
}

function collect(stream, then) {
  const parts = []
  stream.on('data', part => parts.push(part))
  stream.on('end', () => then(Buffer.concat(parts).toString()))
}

const busy = http.createServer((request, response) => collect(request, body => {
  if (++n % 3 == 0) {
    response.writeHead(400, { 'content-type': 'application/x-amz-json-1.0' })
    return response.end(refusal)
  }
  const asked = JSON.parse(body)
  const left = halved((request.headers['x-amz-target'] || '').split('.').pop(), asked)
  const text = JSON.stringify(asked)
  const headers = { ...request.headers, 'content-length': Buffer.byteLength(text) }
  const options = { port: inner.address().port, host: '127.0.0.1', method: 'POST', path: '/', headers }
  const passed = http.request(options, answer => collect(answer, said => {
    const whole = answer.statusCode == 200 ? { ...JSON.parse(said), ...left } : JSON.parse(said)
    response.writeHead(answer.statusCode, { 'content-type': 'application/x-amz-json-1.0' })
    response.end(JSON.stringify(whole))
  }))
  passed.end(text)
}))

inner.listen(0, '127.0.0.1', () => busy.listen(0, '127.0.0.1', () => {
  console.log(inner.address().port)
  console.log(busy.address().port)
}))
process.stdin.on('end', () => process.exit(0)).resume()
