import { expect, test } from 'vitest'

import { schemaOnDisk, schemaText } from '../../../lib/inventory/schema-file.ts'

test('inventory.schema.json is what `npm run schema` writes', () => {
  expect(schemaOnDisk()).toBe(schemaText())
})

test('editors offer the names and say what they are for', () => {
  expect(JSON.parse(schemaText())).toMatchObject({
    additionalProperties: false,
    required: ['estate'],
    properties: {
      hosts: { additionalProperties: { properties: { ssh: { description: 'How to log in.' } } } },
    },
  })
})
