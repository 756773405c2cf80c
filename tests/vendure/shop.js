// A Vendure for the tests: its database is in memory, and its port is a free one, which it prints.
const {
  bootstrap,
  DefaultLogger,
  dummyPaymentHandler,
  LanguageCode,
  LogLevel,
} = require('@vendure/core');
const { populateInitialData } = require('@vendure/core/cli');

const { VENDURE_USER: identifier, VENDURE_PASSWORD: password } = process.env;

const config = {
  apiOptions: { port: 0, hostname: '127.0.0.1', adminApiPath: 'admin-api', shopApiPath: 'shop-api' },
  authOptions: {
    tokenMethod: ['bearer'],
    superadminCredentials: { identifier, password },
    requireVerification: false,
  },
  dbConnectionOptions: { type: 'sqljs', synchronize: true },
  logger: new DefaultLogger({ level: LogLevel.Error, timestamp: false }),
  paymentOptions: { paymentMethodHandlers: [dummyPaymentHandler] },
};

const payment = (name, isSettledAtOnce) => ({
  name,
  handler: {
    code: dummyPaymentHandler.code,
    arguments: [{ name: 'automaticSettle', value: String(isSettledAtOnce) }],
  },
});

const initialData = {
  defaultLanguage: LanguageCode.en,
  defaultZone: 'Norge',
  countries: [{ name: 'Norge', code: 'NO', zone: 'Norge' }],
  taxRates: [
    { name: 'Standard', percentage: 25 },
    { name: 'Mat', percentage: 15 },
    { name: 'Fritatt', percentage: 0 },
  ],
  shippingMethods: [
    { name: 'Bring', price: 9900, taxRate: 25 },
    { name: 'Matbud', price: 7990, taxRate: 15 },
  ],
  paymentMethods: [payment('Vipps', true), payment('Faktura', false)],
  collections: [],
};

bootstrap(config).then(async app => {
  await populateInitialData(app, initialData);
  console.log(app.getHttpServer().address().port);
});
