export type Env = Readonly<Record<string, string | undefined>>

/** Place in the file: keys and indexes from the top. */
export type Path = readonly (string | number)[]

/** One thing to put right. `sentence` never holds a value from the file or the environment. */
export type ConfigProblem = {
  /** Another file than the configuration itself. */
  readonly file?: string
  readonly path: Path
  readonly sentence: string
}

/** `clusters.d/eu.yaml: [0].url: sentence` */
export const problemText = ({ file, path, sentence }: ConfigProblem): string =>
  [...(file === undefined ? [] : [file]), ...(path.length ? [pathText(path)] : []), sentence].join(': ')

/** `clusters[0].url` */
export const pathText = (path: Path): string =>
  path
    .map((step, index) => (typeof step === 'number' ? `[${step}]` : index === 0 ? step : `.${step}`))
    .join('')

/** Everything that is wrong with the settings, at once: `clusters[0].url: sentence`. It never holds a secret. */
export class ConfigError extends Error {
  readonly problems: readonly string[]
  constructor(problems: readonly string[], what: string) {
    super([what, ...problems.map((problem) => `  - ${problem}`)].join('\n'))
    this.name = 'ConfigError'
    this.problems = problems
  }
}
