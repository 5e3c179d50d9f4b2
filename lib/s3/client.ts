import type { S3Client } from '@aws-sdk/client-s3'

import { HostError } from '../host/errors.ts'
import type { Run } from '../host/events.ts'
import type { Estate } from '../inventory/estate.ts'
import { storeError } from './errors.ts'
import type { Store } from './store.ts'

/** Milliseconds: for a connection, and without a byte from the store. */
const connectPatience = 10_000
const silencePatience = 60_000

/** For throwing away the parts of an upload that Ctrl-C has ended. Milliseconds. */
const tidyingPatience = 5000

/** How a store is asked: its errors in our words, acts told, and all of it ended with the run. */
export class Client {
  readonly #store: Pick<Store, 'name' | 'entry'>
  readonly #estate: Estate
  readonly #run: Run
  readonly #tidying = new AbortController()
  #connected: Promise<S3Client> | undefined

  constructor(store: Pick<Store, 'name' | 'entry'>, estate: Estate, run: Run) {
    this.#store = store
    this.#estate = estate
    this.#run = run
  }

  get name(): string {
    return this.#store.name
  }

  get bucket(): string {
    return this.#store.entry.bucket
  }

  /** Ends with the run. */
  get signal(): AbortSignal {
    return this.#run.signal()
  }

  /** Ends a little later than the run, for what is put right after a Ctrl-C. */
  get tidying(): AbortSignal {
    return this.#tidying.signal
  }

  async act(command: string, work: (client: S3Client) => Promise<unknown>): Promise<void> {
    const { name, entry } = this.#store
    const change = { host: name, user: entry.accessKey, command }
    if (this.#run.dryRun) {
      this.#run.onChange({ state: 'would', ...change })
      return
    }
    try {
      await this.ask(work)
      this.#run.onChange({ state: 'done', ...change })
    } catch (error) {
      this.#run.onChange({ state: 'failed', ...change })
      throw error
    }
  }

  async ask<T>(work: (client: S3Client) => Promise<T>, key?: string): Promise<T> {
    try {
      this.#connected ??= this.#connect()
      return await work(await this.#connected)
    } catch (error) {
      throw this.explained(error, key)
    }
  }

  /** What was thrown while the store was asked, in our words. */
  explained(error: unknown, key?: string): unknown {
    // Whatever a connection says that we have cut ourselves.
    if (this.signal.aborted) {
      return new HostError(this.#store.name, 'cancelled', 'cancelled', undefined, error)
    }
    return storeError(this.#store, error, key)
  }

  async #connect(): Promise<S3Client> {
    const { S3Client } = await import('@aws-sdk/client-s3')
    // Its maker's word on old versions of Node is for us, and not for who reads the mail of cron.
    process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true'
    const { endpoint, region, accessKey, secretKey } = this.#store.entry
    const client = new S3Client({
      endpoint,
      region,
      // Host names for buckets are AWS's; the others answer to paths, and so does AWS.
      forcePathStyle: true,
      // Those that are not AWS refuse the checksums that newer clients add.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      credentials: {
        accessKeyId: this.#estate.secret(accessKey),
        secretAccessKey: this.#estate.secret(secretKey),
      },
      requestHandler: { connectionTimeout: connectPatience, socketTimeout: silencePatience },
    })
    this.#endWithRun(client)
    this.#run.atEnd(async () => client.destroy())
    return client
  }

  /** Every request, also those that the client's own helpers make, which take no signal. */
  #endWithRun(client: S3Client): void {
    const { signal } = this
    const later = (): void => void setTimeout(() => this.#tidying.abort(), tidyingPatience).unref()
    signal.addEventListener('abort', later, { once: true })
    const { requestHandler } = client.config
    const handle = requestHandler.handle.bind(requestHandler)
    requestHandler.handle = (request, options) => {
      const isTidying = request.method === 'DELETE' && request.query?.['uploadId'] !== undefined
      return handle(request, { abortSignal: isTidying ? this.tidying : signal, ...options })
    }
  }
}
