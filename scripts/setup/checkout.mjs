// The checkout that these scripts stand in, and its small files.
import * as fs from 'node:fs'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = fs.realpathSync(fileURLToPath(new URL('../..', import.meta.url)))

/** The path of something in the checkout. */
export function inCheckout (...names) {
  return path.join(ROOT, ...names)
}

/** A file's text, or undefined where there is no such file. */
export function readText (file) {
  try {
    return fs.readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

/** What a file of JSON holds, or undefined where it is missing or was cut short. */
export function readJson (file) {
  try {
    return JSON.parse(readText(file))
  } catch {
    return undefined
  }
}
