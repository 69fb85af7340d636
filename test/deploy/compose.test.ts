import { existsSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'

const directory = new URL('../../deploy/', import.meta.url)
const read = (name: string) => readFileSync(new URL(name, directory), 'utf8')
const text = read('compose.yaml')

const duration = z.string().regex(/^\d+s$/)
/** What of https://github.com/compose-spec/compose-spec we use, and no other key. */
const service = z.strictObject({
  image: z.string().regex(/^[a-z/-]+(:[\w.]+)?$/),
  build: z.literal('..').optional(),
  deploy: z.strictObject({ replicas: z.int() }).optional(),
  env_file: z.string().optional(),
  environment: z.record(z.string(), z.string()).optional(),
  volumes: z.array(z.string()),
  ports: z.array(z.string()).optional(),
  depends_on: z.record(z.string(), z.strictObject({ condition: z.literal('service_healthy') })).optional(),
  healthcheck: z
    .strictObject({
      test: z.array(z.string()),
      interval: duration,
      timeout: duration,
      retries: z.int(),
      start_period: duration,
    })
    .optional(),
  read_only: z.boolean().optional(),
  tmpfs: z.array(z.string()).optional(),
  cap_drop: z.tuple([z.literal('ALL')]).optional(),
  security_opt: z.tuple([z.literal('no-new-privileges:true')]).optional(),
  stop_grace_period: duration.optional(),
  restart: z.literal('unless-stopped'),
})
const file = z.strictObject({
  name: z.string(),
  services: z.strictObject({ 'pg-marshal': service, store: service, prometheus: service }),
  volumes: z.record(z.string(), z.null()),
})
const compose = file.parse(parse(text))
const { services } = compose
const replica = services['pg-marshal']

it('starts three replicas, with room for one more among the ten connections of Slack', () => {
  expect(replica.deploy).toEqual({ replicas: 3 })
  expect(replica).toMatchObject({ read_only: true, cap_drop: ['ALL'], stop_grace_period: '30s' })
  expect(replica.depends_on).toEqual({ store: { condition: 'service_healthy' } })
  expect(services.store.healthcheck?.test).toContain('pg_isready')
})

it('holds no secret and publishes nothing beyond this machine', () => {
  const passwords = Object.values(services).flatMap(({ environment = {} }) =>
    Object.entries(environment).filter(([name]) => /PASSWORD|TOKEN|SECRET/.test(name)),
  )
  expect(passwords.length).toBeGreaterThan(0)
  for (const [, value] of passwords) expect(value).toMatch(/^\$\{\w+:\?[^}]+\}$/)
  expect(text).not.toMatch(/xox|xapp-/)
  const ports = Object.values(services).flatMap(({ ports = [] }) => ports)
  expect(ports.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([])
})

it('mounts what there is: declared volumes, files of ours, and the configuration of the reader', () => {
  for (const { volumes } of Object.values(services))
    for (const volume of volumes) {
      const [source = '', target = ''] = volume.split(':')
      expect(target).toMatch(/^\//)
      if (!source.startsWith('./')) expect(Object.keys(compose.volumes)).toContain(source)
      else if (source !== './pg-marshal.yaml')
        expect(existsSync(new URL(source, directory)), source).toBe(true)
    }
})

it('its Prometheus asks every replica, with our alerts', () => {
  const prometheus = parse(read('prometheus.yml'))
  const mounted = services.prometheus.volumes.map((volume) => volume.split(':')[1])
  for (const rules of prometheus.rule_files) expect(mounted).toContain(`/etc/prometheus/${rules}`)
  const [job] = prometheus.scrape_configs
  // The alerts ask for a job of this name.
  expect(job.job_name).toBe('pg-marshal')
  expect(job.dns_sd_configs[0]).toMatchObject({ names: ['pg-marshal'], type: 'A', port: 3000 })
})
