import type { Finding } from './finding.ts'
import type { Path, Segment } from './path.ts'

/**
 * A place in the raw JSON. The cross-checks read through cursors instead of the parsed `Inventory`, so that
 * one wrong value elsewhere does not hide a dangling reference: a cursor on nothing yields nothing.
 */
export class Cursor {
  readonly value: unknown
  readonly path: Path

  constructor(value: unknown, path: Path = []) {
    this.value = value
    this.path = path
  }

  get exists(): boolean {
    return this.value !== undefined
  }

  get text(): string | undefined {
    return typeof this.value === 'string' ? this.value : undefined
  }

  get number(): number | undefined {
    return typeof this.value === 'number' ? this.value : undefined
  }

  get(...keys: Segment[]): Cursor {
    let value: unknown = this.value
    for (const key of keys) value = member(value, key)
    return new Cursor(value, [...this.path, ...keys])
  }

  /** Members of an object with their names; none when this is no object. */
  members(): [name: string, Cursor][] {
    return this.names().map((name) => [name, this.get(name)])
  }

  names(): string[] {
    return isObject(this.value) ? Object.keys(this.value) : []
  }

  /** Elements of an array; none when this is no array. */
  items(): Cursor[] {
    return Array.isArray(this.value) ? this.value.map((_, index) => this.get(index)) : []
  }

  has(name: string): boolean {
    return isObject(this.value) && Object.hasOwn(this.value, name)
  }

  /** True when `name` is surely not there: a container that is malformed has a complaint of its own. */
  lacks(name: string): boolean {
    return (!this.exists || isObject(this.value)) && !this.has(name)
  }

  problem(message: string, hint?: string): Finding {
    return { path: this.path, at: 'value', message, ...(hint === undefined ? {} : { hint }) }
  }

  keyProblem(message: string, hint?: string): Finding {
    return { ...this.problem(message, hint), at: 'key' }
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function member(value: unknown, key: Segment): unknown {
  if (Array.isArray(value)) return typeof key === 'number' ? value[key] : undefined
  return isObject(value) && Object.hasOwn(value, key) ? value[String(key)] : undefined
}
