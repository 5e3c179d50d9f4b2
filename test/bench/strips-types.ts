/** Node runs erasable TypeScript without a flag since 22.18; the types of Node 20 do not know the property. */
export function stripsTypes(): boolean {
  return 'typescript' in process.features && process.features.typescript !== false
}
