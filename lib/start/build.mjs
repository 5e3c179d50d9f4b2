// @ts-check
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { build as bundle, stop } from 'esbuild'

/**
 * Bundles programs with what they share, and with packages that are ES modules.
 * @param {string} root of the checkout
 * @param {readonly string[]} programs files below it
 * @param {string} folder where to, below it as well
 */
export async function build(root, programs, folder) {
  try {
    await bundle({
      absWorkingDir: root,
      entryPoints: [...programs],
      outdir: folder,
      outExtension: { '.js': '.mjs' },
      bundle: true,
      // What a program loads when it needs it stays apart.
      splitting: true,
      format: 'esm',
      platform: 'node',
      target: 'node20.19',
      sourcemap: 'linked',
      sourcesContent: false,
      logLevel: 'silent',
      external: commonJs(root),
      // For what is in CommonJS behind the packages.
      banner: {
        js: "import{createRequire as nodeRequire}from'node:module';const require=nodeRequire(import.meta.url);",
      },
    })
  } finally {
    await stop()
  }
}

/**
 * Packages that Node loads from where they are. In a bundle, `import()` of one of them would give less than Node gives,
 * and it would not find files of its own: ssh2 has a native module, and on Windows the program that asks Pageant.
 * @param {string} root
 */
function commonJs(root) {
  const { dependencies = {} } = readJson(join(root, 'package.json'))
  return Object.keys(dependencies).filter(
    (name) => readJson(join(root, 'node_modules', name, 'package.json')).type !== 'module',
  )
}

/**
 * @param {string} file
 * @returns {{ type?: string, dependencies?: Record<string, string> }}
 */
function readJson(file) {
  return JSON.parse(readFileSync(file, 'utf8'))
}
