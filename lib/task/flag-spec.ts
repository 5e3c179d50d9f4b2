import * as z from 'zod'

/** One flag, as the command line and `--help` see it. */
export type FlagSpec = {
  /** As the task reads it: `skipSeed`. */
  key: string
  /** As it is typed, without the hyphens: `skip-seed`. */
  name: string
  kind: 'boolean' | 'number' | 'choice' | 'text'
  choices: readonly string[]
  /** May be given several times. */
  many: boolean
  required: boolean
  /** What the task gets when it is not given. */
  fallback: unknown
  description: string
  /** Stands for the value in help: `NAME`, `<number>`, `<json|yaml>`. Empty for a boolean. */
  placeholder: string
}

/** Reads the flags out of a task's schema. Throws for a type that cannot be typed on a command line. */
export function flagSpecs(schema: z.ZodObject): FlagSpec[] {
  return Object.entries(schema.shape).map(([key, field]) => flagSpec(key, field))
}

export function kebab(key: string): string {
  return key
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1-$2')
    .replaceAll(/([A-Z])(?=[A-Z][a-z])/g, '$1-')
    .toLowerCase()
}

/** The shortest command line that is complete: `npx tsx tasks/pg-reset.ts --database NAME`. */
export function shortestInvocation(specs: readonly FlagSpec[], invocation: string): string {
  const required = specs.filter((spec) => spec.required).map((spec) => `--${spec.name} ${spec.placeholder}`)
  return [invocation, ...required].filter(Boolean).join(' ')
}

/** What zod reads out of a text by itself. */
const typedAsText: ReadonlySet<string> = new Set(['string', 'template_literal', 'union', 'custom'])

type AnyType = z.core.$ZodType
type Value = Pick<FlagSpec, 'kind' | 'choices' | 'many'>

function flagSpec(key: string, field: AnyType): FlagSpec {
  const layers = layersOf(field)
  const value = valueOf(key, layers)
  const absent = z.safeParse(field, undefined)
  const meta = layers.map((layer) => z.globalRegistry.get(layer)).filter((found) => found !== undefined)
  const placeholder = meta.find((found) => typeof found['placeholder'] === 'string')?.['placeholder']
  return {
    key,
    name: kebab(key),
    ...value,
    // A boolean that was not given is false, with or without a default.
    required: !absent.success && value.kind !== 'boolean',
    fallback: absent.success ? absent.data : undefined,
    description: meta.find((found) => found.description !== undefined)?.description ?? '',
    placeholder: typeof placeholder === 'string' ? placeholder : placeholderOf(value),
  }
}

/** The type and what it wraps, outermost first; a description may hang on any of them. */
function layersOf(field: AnyType): AnyType[] {
  const inner = innerOf(field)
  return inner === undefined ? [field] : [field, ...layersOf(inner)]
}

function innerOf(type: AnyType): AnyType | undefined {
  if (
    type instanceof z.ZodOptional ||
    type instanceof z.ZodDefault ||
    type instanceof z.ZodPrefault ||
    type instanceof z.ZodNullable ||
    type instanceof z.ZodReadonly ||
    type instanceof z.ZodCatch
  ) {
    return type.unwrap()
  }
  // What is typed is the side that goes in, except of z.preprocess, which takes anything.
  if (type instanceof z.ZodPipe) return type.in instanceof z.ZodTransform ? type.out : type.in
  return undefined
}

function valueOf(key: string, layers: readonly AnyType[]): Value {
  const type = layers.at(-1)
  if (type instanceof z.ZodArray) return { ...valueOf(key, layersOf(type.element)), many: true }
  const value = { choices: [], many: false }
  if (type instanceof z.ZodBoolean) return { ...value, kind: 'boolean' }
  if (type instanceof z.ZodEnum) return { ...value, kind: 'choice', choices: type.options.map(String) }
  if (type instanceof z.ZodLiteral) return { ...value, kind: 'choice', choices: [...type.values].map(String) }
  const name = type instanceof z.ZodType ? type.type : 'value without a type'
  if (name === 'number') return { ...value, kind: 'number' }
  if (typedAsText.has(name)) return { ...value, kind: 'text' }
  throw new Error(`flag ${key}: nobody can type a ${name} on a command line`)
}

function placeholderOf(value: Value): string {
  switch (value.kind) {
    case 'boolean':
      return ''
    case 'choice':
      return `<${value.choices.join('|')}>`
    case 'number':
      return '<number>'
    case 'text':
      return '<text>'
  }
}
