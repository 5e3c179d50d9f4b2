import { type Node, type ParseError, parseTree, printParseErrorCode } from 'jsonc-parser'

import type { Problem } from './errors.ts'
import type { Finding } from './finding.ts'
import { type Path, pathText } from './path.ts'

// Loaded only when there is a problem to place: the parser takes 8 ms to import.

const WORDS: Record<string, string> = {
  InvalidSymbol: 'a word that JSON does not have',
  InvalidNumberFormat: 'a number that JSON does not have',
  PropertyNameExpected: 'a name in double quotes is expected; a comma before "}" is one too many',
  ValueExpected: 'a value is expected; a comma before "]" is one too many',
  ColonExpected: 'a colon is expected',
  CommaExpected: 'a comma is expected',
  CloseBraceExpected: 'a closing "}" is expected',
  CloseBracketExpected: 'a closing "]" is expected',
  EndOfFileExpected: 'the end of the file is expected',
  InvalidCommentToken: 'comments are not allowed in JSON',
  UnexpectedEndOfComment: 'comments are not allowed in JSON',
  UnexpectedEndOfString: 'a string without its closing quote',
  UnexpectedEndOfNumber: 'a number that ends too early',
  InvalidUnicode: 'a \\u without four hexadecimal digits',
  InvalidEscapeCharacter: 'a backslash before a character that needs none; write \\\\ for a backslash',
  InvalidCharacter: 'a control character inside a string',
}

/** Where the text stops being JSON. Only the first place: what follows it is mostly its echo. */
export function syntaxProblem(text: string, file: string): Problem {
  if (text.trim() === '') return { file, ...place(text, 0), path: '', message: 'the file is empty' }
  const errors: ParseError[] = []
  readTree(text, errors)
  const [first] = errors.toSorted((one, other) => one.offset - other.offset)
  const what = first === undefined ? undefined : WORDS[printParseErrorCode(first.error)]
  const message = what === undefined ? 'this is not JSON' : `this is not JSON: ${what}`
  return { file, ...place(text, first?.offset ?? 0), path: '', message }
}

/** Findings with their place in the file, in the order of the file. */
export function locate(findings: Finding[], text: string, file: string): Problem[] {
  const root = readTree(text, [])
  return findings
    .map((finding) => ({ finding, offset: offsetOf(root, finding) }))
    .toSorted((one, other) => one.offset - other.offset)
    .map(({ finding: { path, message, hint }, offset }) => ({
      file,
      ...place(text, offset),
      path: pathText(path),
      message,
      ...(hint === undefined ? {} : { hint }),
    }))
}

/** Keys that stand twice in one object, at their second place. */
export function duplicateKeys(text: string, file: string): Problem[] {
  const problems: Problem[] = []
  const waiting: { node: Node | undefined; path: Path }[] = [{ node: readTree(text, []), path: [] }]
  while (waiting.length > 0) {
    const { node, path } = waiting.pop() ?? { node: undefined, path: [] }
    if (node?.type === 'array') {
      for (const [index, item] of (node.children ?? []).entries())
        waiting.push({ node: item, path: [...path, index] })
    }
    const seen = new Map<string, Node>()
    for (const { name, key, value } of membersOf(node)) {
      const first = seen.get(name)
      if (first !== undefined) {
        const { line } = place(text, first.offset)
        const message = `"${name}" stands twice in the same object, first in line ${line}`
        problems.push({ file, ...place(text, key.offset), path: pathText([...path, name]), message })
      }
      seen.set(name, first ?? key)
      waiting.push({ node: value, path: [...path, name] })
    }
  }
  return problems
}

function offsetOf(root: Node | undefined, { path, at }: Finding): number {
  let node = root
  let key = root
  for (const segment of path) {
    // The last one, as JSON.parse takes it; a part that is missing is shown at what should hold it.
    const next =
      typeof segment === 'number'
        ? { key: node?.children?.[segment], value: node?.children?.[segment] }
        : membersOf(node).findLast((member) => member.name === segment)
    if (next?.value === undefined) return key?.offset ?? 0
    key = next.key
    node = next.value
  }
  return (at === 'key' ? key : node)?.offset ?? 0
}

function membersOf(node: Node | undefined): { name: string; key: Node; value: Node | undefined }[] {
  if (node?.type !== 'object') return []
  return (node.children ?? []).flatMap(({ children: [key, value] = [] }) =>
    key === undefined ? [] : [{ name: String(key.value), key, value }],
  )
}

/** Undefined where there is no tree: not a value at all, or nested so deep that the parser gives up. */
function readTree(text: string, errors: ParseError[]): Node | undefined {
  try {
    return parseTree(text, errors, { disallowComments: true, allowTrailingComma: false })
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

function place(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset)
  const lines = before.split(/\r\n|\r|\n/)
  return { line: lines.length, column: (lines.at(-1)?.length ?? 0) + 1 }
}
