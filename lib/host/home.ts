/** `~` in an argument is a letter like others: we are at home already when we go there. */
export function fromHome(directory: string): string {
  return directory.replace(/^~\//, './')
}
