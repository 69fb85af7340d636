import { LineCounter, parseDocument, type YAMLParseError, type YAMLWarning } from 'yaml'
import type { ConfigProblem, Env, Path } from './problem.ts'

/**
 * YAML to plain data, with each `${NAME}` in a value taken from the environment (`$${` stands for a plain `${`). The
 * environment is put in after parsing, so what stands there can never become YAML. An empty value reads as undefined,
 * and so does one whose `${NAME}` is missing; the latter is a problem.
 */
export function readFileText(
  text: string,
  env: Env,
): { readonly tree: unknown; readonly problems: ConfigProblem[] } {
  const lineCounter = new LineCounter()
  // `prettyErrors` would quote the file, and a password may stand there.
  const document = parseDocument(text, { prettyErrors: false, lineCounter })
  const faults = [...document.errors, ...document.warnings]
  if (faults.length > 0) {
    const lines = text.split('\n')
    const sentences = faults.map((fault) => yamlSentence(fault, lineCounter, lines))
    return { tree: undefined, problems: [...new Set(sentences)].map((sentence) => ({ path: [], sentence })) }
  }
  const problems: ConfigProblem[] = []
  try {
    return { tree: fill(document.toJS(), env, [], problems), problems }
  } catch {
    const sentence = 'The file is not valid YAML: an alias (*name) has no anchor (&name) before it.'
    return { tree: undefined, problems: [{ path: [], sentence }] }
  }
}

function fill(value: unknown, env: Env, path: Path, problems: ConfigProblem[]): unknown {
  if (path.length > 12) {
    problems.push({ path: path.slice(0, 3), sentence: 'This is nested too deeply.' })
    return undefined
  }
  if (typeof value === 'string') return fillText(value, env, path, problems)
  if (Array.isArray(value)) return value.map((item, index) => fill(item, env, [...path, index], problems))
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, fill(item, env, [...path, key], problems)]),
    )
  return value ?? undefined
}

function fillText(text: string, env: Env, path: Path, problems: ConfigProblem[]): string | undefined {
  let complete = true
  const filled = text.replaceAll(/\$\$\{|\$\{(?:([A-Za-z_][A-Za-z0-9_]*)\})?/g, (found, name?: string) => {
    if (found === '$${') return '${'
    const value = name === undefined ? undefined : env[name]
    if (value) return value
    complete = false
    const sentence =
      name === undefined
        ? `Write \${NAME} with letters, digits and underscores (defaults are not supported), or $\${ for a plain \${.`
        : `The environment variable ${name} is ${value === undefined ? 'not set' : 'empty'}. Set it before you start pg-marshal.`
    problems.push({ path, sentence })
    return ''
  })
  return complete ? filled : undefined
}

const yamlFaults: Readonly<Record<string, string>> = {
  BAD_INDENT: 'the indentation does not fit, or a bracket is not closed',
  BAD_SCALAR_START: 'a value cannot start with this character; put it in quotes',
  BLOCK_AS_IMPLICIT_KEY: 'there is a second colon; put the value in quotes',
  DUPLICATE_KEY: 'this key is there twice; keep one',
  MISSING_CHAR: 'a quote, a comma or a bracket is missing',
  MULTIPLE_DOCS: 'there is a second document (---); keep one',
  TAB_AS_INDENT: 'a tab is used for indentation; use spaces',
}

function yamlSentence(
  fault: YAMLParseError | YAMLWarning,
  counter: LineCounter,
  lines: readonly string[],
): string {
  const { line } = counter.linePos(fault.pos[0])
  const inBrackets = /[[{].*\$\{/.test(lines[line - 1] ?? '')
  const what = inBrackets ? `inside […] and {…} put \${NAME} in quotes` : yamlFaults[fault.code]
  return `Line ${line} is not valid YAML: ${what ?? 'see how pg-marshal.example.yaml writes it'}.`
}
