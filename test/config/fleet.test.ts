// biome-ignore-all lint/suspicious/noTemplateCurlyInString: that is how the file names the environment
import { describe, expect, it } from 'vitest'
import { ConfigError, parseConfig } from '../../src/config/config.ts'

const general = `
slack: { channel: C0INCIDENTS }
access: { approvers: [U0DANA] }
clustersFrom: ./clusters.d
`

/** A configuration in /etc/pg with these files beside it. */
function load(text: string, beside: Readonly<Record<string, string>>) {
  return parseConfig(text, { URL: 'postgres://m@env/db' }, '/etc/pg/pg-marshal.yaml', {
    list: (path) => {
      if (path !== '/etc/pg/clusters.d') throw Object.assign(new Error('x'), { code: 'ENOENT' })
      return Object.keys(beside)
    },
    read: (path) => {
      const text = beside[path.replace('/etc/pg/clusters.d/', '')]
      if (text === undefined || text === 'EACCES') throw Object.assign(new Error('x'), { code: 'EACCES' })
      return text
    },
  })
}

function problems(text: string, beside: Readonly<Record<string, string>>): readonly string[] {
  try {
    load(text, beside)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

describe('clustersFrom', () => {
  it('takes clusters from files of one, of a list and of a section, and passes over other files', () => {
    const { clusters } = load(general, {
      'b.yaml': '- { name: b1, url: "postgres://m@b1/db", channel: C0B }\n- { name: b2, url: "${URL}" }',
      'a.yml': 'name: a\nurl: postgres://m@a/db\npasswordFile: secrets/a',
      'c.yaml': 'clusters:\n  - { name: c, url: "postgres://m@c/db", passwordFile: /run/c }',
      'empty.yaml': '# nothing yet\n',
      '.b.yaml.swp': '{',
      '.hidden.yaml': '{',
      'README.md': '{',
    })
    expect(
      clusters.map(({ name, url, channel, passwordFile }) => [name, url, channel, passwordFile]),
    ).toEqual([
      ['a', 'postgres://m@a/db', 'C0INCIDENTS', '/etc/pg/secrets/a'],
      ['b1', 'postgres://m@b1/db', 'C0B', null],
      ['b2', 'postgres://m@env/db', 'C0INCIDENTS', null],
      ['c', 'postgres://m@c/db', 'C0INCIDENTS', '/run/c'],
    ])
  })

  it('takes the console of PgBouncer, and the file of its password from beside the configuration', () => {
    const { clusters } = load(general, {
      'a.yaml':
        'name: a\nurl: postgres://m@a/db\npgbouncer: postgres://s@b/pgbouncer\npgbouncerPasswordFile: secrets/b',
      'b.yaml': 'name: b\nurl: postgres://m@b/db\npgbouncer: postgres://s:p@b/pgbouncer',
      'c.yaml': 'name: c\nurl: postgres://m@c/db',
    })
    expect(clusters.map(({ pgbouncer }) => pgbouncer)).toEqual([
      { url: 'postgres://s@b/pgbouncer', passwordFile: '/etc/pg/secrets/b' },
      { url: 'postgres://s:p@b/pgbouncer', passwordFile: null },
      null,
    ])
  })

  it('names file and key of every problem, all at once', () => {
    const own = `${general}clusters:\n  - { name: orders, url: "postgres://m@o/db" }\n  - { name: Bad, url: "postgres://m@o/db" }\n`
    const found = problems(own, {
      'a.yaml': 'name: orders\nurl: mysql://root:hunter2@db',
      'b.yaml': '- { name: b, url: "${NONE}" }\n- { name: b, url: "postgres://m@b/db", wacth: {} }',
      'c.yaml': 'name: [',
      'd.yaml': 'EACCES',
      'e.yaml': 'hunter2',
      'f.yaml': 'name: f\nurl: postgres://m:hunter2@f/db\npasswordFile: /x',
    })
    expect(found.join('\n')).not.toContain('hunter2')
    expect(found.map((problem) => problem.slice(0, 44)).sort()).toEqual([
      'clusters.d/a.yaml: name: clusters[0] has thi',
      'clusters.d/a.yaml: url: This is not the addr',
      'clusters.d/b.yaml: [0].url: The environment ',
      'clusters.d/b.yaml: [1].name: clusters.d/b.ya',
      'clusters.d/b.yaml: [1].wacth: Unknown key. K',
      'clusters.d/c.yaml: Line 1 is not valid YAML:',
      'clusters.d/d.yaml: The file cannot be read (',
      'clusters.d/e.yaml: Write keys with values he',
      'clusters.d/f.yaml: passwordFile: The url has',
      'clusters[1].name: Write a short name of lowe',
    ])
  })

  it('says when the directory is not there, or holds no clusters', () => {
    expect(problems(general.replace('clusters.d', 'elsewhere'), {})).toContain(
      'clustersFrom: The directory cannot be read (ENOENT). Check that it is there, and its permissions.',
    )
    expect(problems(general, { 'notes.txt': '' })).toContain(
      'clustersFrom: There is no file NAME.yaml in this directory.',
    )
    expect(problems(general.replace('./clusters.d', '[x]'), {})).toContain(
      'clustersFrom: Write the path of a directory of YAML files with clusters.',
    )
  })

  it('counts approvers of the clusters from files', () => {
    const asks = `${general}approvals: { people: { terminate: 1 } }`
    expect(
      problems(asks, {
        'a.yaml': '{ name: a, url: "postgres://m@a/db", approvals: { people: { cancel: 2 } } }',
      }),
    ).toEqual([
      'clusters.d/a.yaml: approvals.people.cancel: More people must approve than are named in approvers (1). Name more, or ask for fewer.',
    ])
  })
})

describe('templates', () => {
  const templates = `${general}
templates:
  eu:
    url: postgres://marshal@{name}.eu.example.com/postgres?sslmode=verify-full
    passwordFile: /run/secrets/{name}
    channel: C0EU
    watch: { every: 10s, blockedFor: 20s }
`

  it('stand under a cluster, key by key, with its name', () => {
    const { clusters } = load(templates, {
      'a.yaml':
        '- { name: a, template: eu, watch: { every: 1s } }\n- { name: b, template: eu, channel: C0B }',
    })
    expect(clusters[0]).toMatchObject({
      url: 'postgres://marshal@a.eu.example.com/postgres?sslmode=verify-full',
      passwordFile: '/run/secrets/a',
      channel: 'C0EU',
      watch: { everyMs: 1000, blockedForSeconds: 20 },
    })
    expect(clusters[1]).toMatchObject({ channel: 'C0B', watch: { everyMs: 10_000 } })
  })

  it('are where a problem of theirs is said, once', () => {
    const wrong = templates.replace('C0EU', '"#eu"').replace('marshal@', '${NONE}@')
    const found = problems(wrong, {
      'a.yaml':
        '- { name: a, template: eu }\n- { name: b, template: eu, watch: { evry: 1s } }\n- { name: c, template: us }',
    })
    expect(found.map((problem) => problem.split(': ').slice(0, 2).join(': '))).toEqual([
      'templates.eu.url: The environment variable NONE is not set. Set it before you start pg-marshal.',
      'clusters.d/a.yaml: [2].template',
      'templates.eu.channel: A channel name can change, so it is not taken. Write the channel id (C…, G… or D…)',
      'clusters.d/a.yaml: [1].watch.evry',
      'clusters.d/a.yaml: [2].url',
    ])
  })

  it('are refused where no cluster uses them, with everything else', () => {
    const unused = 'templates.eu: No cluster uses this template.'
    const found = (cluster: string) =>
      problems(templates, { 'a.yaml': cluster }).map((problem) => problem.slice(0, unused.length))
    const own = 'name: a\nurl: postgres://m@a/db'
    expect(found(own)).toEqual([unused])
    expect(found(`${own}\nwacth: {}`)).toEqual([unused, expect.stringMatching(/^clusters.d.a.yaml: wacth/)])
    // The name is misspelt: both are said.
    expect(found(`${own}\ntemplate: ue`)).toEqual([expect.stringMatching(/template: There is/), unused])
    // What cannot be read may use it.
    expect(found('name: [')).not.toContain(unused)
    expect(found('EACCES')).not.toContain(unused)
  })
})
