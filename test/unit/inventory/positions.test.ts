import { describe, expect, test } from 'vitest'

import { problemText } from '../../../lib/inventory/errors.ts'
import { problemsOf } from './sample.ts'

async function lines(text: string): Promise<string[]> {
  return (await problemsOf(text)).map(problemText)
}

describe('text that is not JSON', () => {
  test.each([
    ['', '1:1 the file is empty'],
    [' \n\n', '1:1 the file is empty'],
    [
      '{\n  "estate": "x",\n}',
      '3:1 this is not JSON: a name in double quotes is expected; a comma before "}" is one too many',
    ],
    ['{\r\n  "hosts": {}\r\n  "apps": {}\r\n}', '3:3 this is not JSON: a comma is expected'],
    ['{ "a": [1,] }', '1:11 this is not JSON: a value is expected; a comma before "]" is one too many'],
    ['{\n  // mine\n  "estate": "x" }', '2:3 this is not JSON: comments are not allowed in JSON'],
    ['{ "estate": "x" /* mine */ }', '1:17 this is not JSON: comments are not allowed in JSON'],
    ['{ "estate": "x" ', '1:17 this is not JSON: a closing "}" is expected'],
    ['{ "estate": "x" } }', '1:19 this is not JSON: the end of the file is expected'],
    ["{ 'estate': 1 }", '1:3 this is not JSON: a word that JSON does not have'],
    ['{ "estate": "x\ny" }', '1:13 this is not JSON: a string without its closing quote'],
    [
      '{ "key": "C:\\keys" }',
      '1:10 this is not JSON: a backslash before a character that needs none; write \\\\ for a backslash',
    ],
    ['{ "port": 022 }', '1:12 this is not JSON: a comma is expected'],
  ])('%j', async (text, expected) => {
    expect(await lines(text)).toEqual([`inventory.json:${expected}`])
  })

  test('nested beyond what a parser takes', async () => {
    expect(await lines('['.repeat(100_000))).toEqual(['inventory.json:1:1 this is not JSON'])
  })
})

describe('places', () => {
  test('of an unknown key, a value, a missing member, an element of a list', async () => {
    const text = [
      '{',
      '  "estate": "x",',
      '  "hosts": {',
      '    "a": { "colour": "red", "vmid": 5 }',
      '  },',
      '  "postgres": {',
      '    "main": { "hosts": [ "a",',
      '      "b" ],',
      '      "databases": { "d": { "environment": "test" } } } }',
      '}',
    ].join('\n')
    expect(await lines(text)).toEqual([
      'inventory.json:4:12 hosts.a.colour: there is no "colour" here. There are: addresses, ssh, proxmox, guestOf, local',
      'inventory.json:4:37 hosts.a.vmid: Proxmox VE starts at 100',
      'inventory.json:8:7 postgres.main.hosts[1]: no host is called "b". There are: a',
      'inventory.json:9:22 postgres.main.databases.d.owner: "owner" is missing',
    ])
  })

  test('names with dots, blanks or quotes are put in brackets', async () => {
    const text = '{ "estate": "x", "hosts": { "a b": {}, "web.example": { "vmid": 1 } } }'
    expect((await problemsOf(text)).map(({ path }) => path)).toEqual([
      'hosts["a b"]',
      'hosts["web.example"].vmid',
    ])
  })
})

describe('a key that stands twice', () => {
  test('is shown at its second place, with the line of the first', async () => {
    const text = '{\n  "estate": "x",\n  "hosts": {\n    "a": {},\n    "a": { "vmid": 5 }\n  }\n}'
    expect(await lines(text)).toEqual([
      'inventory.json:5:5 hosts.a: "a" stands twice in the same object, first in line 4',
      'inventory.json:5:20 hosts.a.vmid: Proxmox VE starts at 100',
    ])
  })

  test('is found when it is spelled with escapes, and not confused by colons in strings', async () => {
    expect(await lines('{ "estate": "x", "\\u0065state": "y" }')).toEqual([
      'inventory.json:1:18 estate: "estate" stands twice in the same object, first in line 1',
    ])
    expect(await lines('{ "estate": "x", "$schema": "a\\": \\"b\\\\" }')).toEqual([])
  })
})
