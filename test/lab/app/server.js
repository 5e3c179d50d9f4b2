import { createServer } from 'node:http'

import { connectDatabase } from './database.js'
import { variable } from './environment.js'
import { ping } from './redis.js'

const PATIENCE = 3000
const database = connectDatabase()
const redis = variable('REDIS_URL')

const routes = {
  '/api/health': health,
  '/api/worlds': async () => ({
    status: 200,
    body: await database.world.findMany({ orderBy: { slug: 'asc' } }),
  }),
}

async function health() {
  const [db, cache] = await Promise.all([
    outcome(inTime(database.pagePermission.findFirst())),
    outcome(ping(redis, PATIENCE)),
  ])
  const status = db === 'ok' && cache === 'ok' ? 200 : 500
  return { status, body: { database: db, redis: cache } }
}

async function outcome(promise) {
  try {
    await promise
    return 'ok'
  } catch (error) {
    return error.message.trim().split('\n').at(-1)
  }
}

/** pgbouncer makes a client wait up to two minutes for a server that does not answer. */
function inTime(query) {
  const late = new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`no answer within ${PATIENCE} ms`)), PATIENCE).unref()
  })
  return Promise.race([query, late])
}

async function respond(path) {
  const route = routes[path]
  if (!route) return { status: 404, body: { error: `no such page: ${path}` } }
  try {
    return await route()
  } catch (error) {
    return { status: 500, body: { error: error.message } }
  }
}

const server = createServer(async (request, response) => {
  const { status, body } = await respond(new URL(request.url, 'http://app').pathname)
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
})

// As process 1 of its container it would ignore TERM without a handler, and docker would wait ten seconds.
process.once('SIGTERM', () => {
  server.close()
  server.closeAllConnections()
  void database.$disconnect()
})

server.listen(Number(process.env.PORT ?? 3000), () => console.log(`listening on ${server.address().port}`))
