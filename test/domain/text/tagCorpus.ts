/** Comments as libraries write them, each with the tags that are read from it. */
export type Written = {
  readonly library: string
  readonly text: string
  readonly tags: Readonly<Record<string, string>>
  readonly keys?: readonly string[]
}

/** By the documents and tests of each library. */
export const corpus: readonly Written[] = [
  {
    library: 'sqlcommenter for Django',
    text: `INSERT INTO "polls_question" ("question_text", "pub_date") VALUES ('Wassup?', '2019-05-28T18:54:50.767481+00:00'::timestamptz) RETURNING "polls_question"."id" /*controller='index',framework='django%3A2.2.1',route='%5Epolls/%24'*/`,
    tags: { controller: 'index', route: '^polls/$', framework: 'django:2.2.1' },
  },
  {
    library: 'sqlcommenter for Django, through psycopg without parameters',
    text: `SELECT "polls_question"."id" FROM "polls_question" /*app_name='polls',controller='index',db_driver='django.db.backends.postgresql',framework='django%%3A4.2',route='%%5Epolls/%%24'*/`,
    tags: {
      controller: 'index',
      route: '^polls/$',
      framework: 'django:4.2',
      db_driver: 'django.db.backends.postgresql',
    },
  },
  {
    library: 'sqlcommenter for Flask and psycopg2',
    text: "SELECT * FROM polls_question /*controller='polls',db_driver='psycopg2%3A2.8.2%20%28dt%20dec%20pq3%20ext%20lo64%29',framework='flask%3A1.0.3',route='%2Fpolls',traceparent='00-1c56d0ddb3d76c5cbd1bd4a0ab08ea12-9ba6a3ed49d31fc2-01'*/",
    tags: {
      controller: 'polls',
      route: '/polls',
      framework: 'flask:1.0.3',
      db_driver: 'psycopg2:2.8.2 (dt dec pq3 ext lo64)',
      traceparent: '00-1c56d0ddb3d76c5cbd1bd4a0ab08ea12-9ba6a3ed49d31fc2-01',
    },
  },
  {
    library: 'sqlcommenter for SQLAlchemy',
    text: "SELECT * FROM polls_question /*db_framework='sqlalchemy%3A1.3.5',traceparent='00-bf66750ad4c76f614c0a99d843758cbb-e6b27c3caf35de73-01'*/",
    tags: { traceparent: '00-bf66750ad4c76f614c0a99d843758cbb-e6b27c3caf35de73-01' },
  },
  {
    library: 'a hand-written wrapper of Django, with blanks',
    text: "SELECT 1 /* controller='orders', route='%%2Forders' */",
    tags: { controller: 'orders', route: '/orders' },
  },
  {
    library: 'Rails query logs, legacy format',
    text: 'SELECT "orders".* FROM "orders" WHERE "orders"."id" = $1 LIMIT $2 /*application:Shop,controller:orders,action:create*/',
    tags: { application: 'Shop', controller: 'orders', action: 'create' },
  },
  {
    library: 'Rails query logs, sqlcommenter format',
    text: `SELECT "orders".* FROM "orders" WHERE "orders"."id" = 1 /*action='create',application='Shop',controller='orders'*/`,
    tags: { application: 'Shop', controller: 'orders', action: 'create' },
  },
  {
    library: 'Rails query logs of a job, at the front',
    text: '/*application:Shop,job:Billing::CloseMonthJob*/ SELECT 1',
    tags: { application: 'Shop', job: 'Billing::CloseMonthJob' },
  },
  {
    library: 'activerecord-sql_commenter, before its own format',
    text: "select * from users /*application:'apibb',controller:'database_info',action:'show'*/",
    tags: { application: 'apibb', controller: 'database_info', action: 'show' },
  },
  {
    library: 'marginalia with a line of the code',
    text: "SELECT 1 /*application:web,correlation_id:01JD0F3EJ9C6G9ZZED0D4834EV,line:/ee/lib/gitlab/database/load_balancing/connection_proxy.rb:63:in `block in read_using_load_balancer'*/",
    tags: { application: 'web' },
  },
  {
    library: 'marginalia of GitLab',
    text: '/*application:web,correlation_id:01F55SGG3SY4NKQ02TTWXGA29Q,endpoint_id:GET /api/:version/projects/:id/users*/ SELECT "users".* FROM "users"',
    keys: ['application', 'endpoint_id'],
    tags: { application: 'web', endpoint_id: 'GET /api/:version/projects/:id/users' },
  },
  {
    library: 'marginalia of a GitLab worker',
    text: 'SELECT 1 /*application:sidekiq,correlation_id:01F7HWR7B46Q5S8QGP8MTZ7BG5,jid:ce7921e9ee2a1c66e3072cb9,endpoint_id:AuthorizedProjectsWorker*/',
    keys: ['application', 'endpoint_id'],
    tags: { application: 'sidekiq', endpoint_id: 'AuthorizedProjectsWorker' },
  },
  {
    library: 'sqlcommenter for Sequelize',
    text: `SELECT "id", "title" FROM "Todos" AS "Todo" LIMIT 20; /*client_timezone='%2B00%3A00',db_driver='sequelize%3A6.3.3',route='%2F',traceparent='00-3e2914ebce6af09508dd1ff1128493a8-81d09ab4d8cde7cf-01'*/`,
    tags: {
      route: '/',
      db_driver: 'sequelize:6.3.3',
      traceparent: '00-3e2914ebce6af09508dd1ff1128493a8-81d09ab4d8cde7cf-01',
    },
  },
  {
    library: 'sqlcommenter for Kysely, which leaves a quote escaped',
    text: "select 1 /*action='it\\'s%20*',route='%2Forders%2F*'*/",
    tags: { action: "it's *", route: '/orders/*' },
  },
  {
    library: 'sqlcommenter for Go',
    text: "SELECT * FROM users /*action='main.ActionHome',application='shop',db_driver='database%2Fsql%3Apq',framework='gorrila%2Fmux',route='GET+%2Forders%2F%7Bid%7D',traceparent='00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'*/",
    tags: {
      application: 'shop',
      action: 'main.ActionHome',
      route: 'GET /orders/{id}',
      framework: 'gorrila/mux',
      db_driver: 'database/sql:pq',
      traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    },
  },
  {
    library: 'sqlcommenter for GORM',
    text: `SELECT * FROM "orders" WHERE id = 1 /* action='Create',framework='gin',route='%2Forders' */`,
    tags: { action: 'Create', route: '/orders', framework: 'gin' },
  },
  {
    library: 'sqlcommenter for Hibernate and Spring',
    text: "select o.id from orders o /*action='/fees',controller='fees_controller',web_framework='spring'*/",
    tags: { controller: 'fees_controller', action: '/fees' },
  },
  {
    library: 'sqlcommenter for Laravel',
    text: "Select * from users /*framework='laravel-9.7.0',controller='UserController',action='index',route='%%2Fapi%%2Ftest',db_driver='pgsql',traceparent='00-1cd60708968a61e942b5dacc2d4a5473-7534abe7ed36ce35-01'*/;",
    tags: {
      controller: 'UserController',
      action: 'index',
      route: '/api/test',
      framework: 'laravel-9.7.0',
      db_driver: 'pgsql',
      traceparent: '00-1cd60708968a61e942b5dacc2d4a5473-7534abe7ed36ce35-01',
    },
  },
  {
    library: 'Prisma before its sqlcommenter',
    text: 'SELECT 1 /* traceparent=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 */',
    tags: { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' },
  },
  {
    library: 'Datadog',
    text: "/*dddbs='orders-db',dde='prod',ddps='checkout%20%21',ddpv='1.0.0',traceparent='00-00000000000000007fffffffffffffff-000000024cb016ea-00'*/ SELECT * from FOO",
    keys: ['ddps', 'traceparent'],
    tags: {
      ddps: 'checkout !',
      traceparent: '00-00000000000000007fffffffffffffff-000000024cb016ea-00',
    },
  },
  {
    library: 'Hasura',
    text: 'SELECT 1 /* request_id=eb8b7e58,action=orders,field_name=test */',
    tags: { action: 'orders' },
  },
  {
    library: 'the specification, whose example forgets a comma',
    text: "SELECT * FROM FOO /*action='%2Fparam*d',controller='index,'framework='spring',\ntraceparent='00-5bd66ef5095369c7b0d1f8f4bd33716a-c532cb4098ac3dd2-01',\ntracestate='congo%3Dt61rcWkgMzE%2Crojo%3D00f067aa0ba902b7'*/",
    tags: {
      controller: 'index,',
      action: '/param*d',
      framework: 'spring',
      traceparent: '00-5bd66ef5095369c7b0d1f8f4bd33716a-c532cb4098ac3dd2-01',
    },
  },
]
