"""The part of Vendure's admin API that is served, as in its schema of version 3.7.

Members that are not used are left out, not members that would be refused, and so are calculated
fields to filter and to sort by. `CurrencyCode`, `LanguageCode` and `ErrorCode`, which are long
enums, are text.
"""

from __future__ import annotations

_LISTED = {
    "Customer": "id createdAt updatedAt firstName lastName phoneNumber emailAddress",
    "Product": "id createdAt updatedAt enabled name description",
    "ProductVariant": "id createdAt updatedAt enabled sku name productId",
    "Order": "id createdAt updatedAt orderPlacedAt active code state type",
    "HistoryEntry": "id createdAt updatedAt type",
}
_OPERATORS = {
    "id": "IDOperators",
    "productId": "IDOperators",
    "createdAt": "DateOperators",
    "updatedAt": "DateOperators",
    "orderPlacedAt": "DateOperators",
    "active": "BooleanOperators",
    "enabled": "BooleanOperators",
}


def _options(kind: str, names: list[str]) -> str:
    """Return the input of a list: each of its plain members can be filtered and sorted by."""
    filters = " ".join(f"{name}: {_OPERATORS.get(name, 'StringOperators')}" for name in names)
    sorts = " ".join(f"{name}: SortOrder" for name in names if name not in {"active", "enabled"})
    return f"""
input {kind}ListOptions {{
  skip: Int take: Int sort: {kind}SortParameter filter: {kind}FilterParameter
}}
input {kind}SortParameter {{ {sorts} }}
input {kind}FilterParameter {{ {filters} }}
type {kind}List {{ items: [{kind}!]! totalItems: Int! }}
"""


SDL = """
scalar DateTime
scalar Money
scalar CurrencyCode
scalar LanguageCode
scalar ErrorCode

enum SortOrder { ASC DESC }
enum GlobalFlag { TRUE FALSE INHERIT }
enum OrderType { Regular Seller Aggregate }

input StringOperators { eq: String notEq: String }
input IDOperators { eq: String notEq: String }
input BooleanOperators { eq: Boolean }
input DateOperators { eq: DateTime before: DateTime after: DateTime }

interface ErrorResult { errorCode: ErrorCode! message: String! }
type InvalidCredentialsError implements ErrorResult {
  errorCode: ErrorCode! message: String! authenticationError: String!
}
type EmailAddressConflictError implements ErrorResult { errorCode: ErrorCode! message: String! }

type Query {
  channels: ChannelList!
  customer(id: ID!): Customer
  customers(options: CustomerListOptions): CustomerList!
  order(id: ID!): Order
  orders(options: OrderListOptions): OrderList!
  productVariant(id: ID!): ProductVariant
  productVariants(options: ProductVariantListOptions, productId: ID): ProductVariantList!
  products(options: ProductListOptions): ProductList!
}

type Mutation {
  login(username: String!, password: String!, rememberMe: Boolean): NativeAuthenticationResult!
  updateCustomer(input: UpdateCustomerInput!): UpdateCustomerResult!
  createCustomerAddress(customerId: ID!, input: CreateAddressInput!): Address!
  updateCustomerAddress(input: UpdateAddressInput!): Address!
  updateProductVariant(input: UpdateProductVariantInput!): ProductVariant!
}

union NativeAuthenticationResult = CurrentUser | InvalidCredentialsError
union UpdateCustomerResult = Customer | EmailAddressConflictError
type CurrentUser { id: ID! identifier: String! }

type ChannelList { items: [Channel!]! totalItems: Int! }
type Channel {
  id: ID! code: String! defaultLanguageCode: LanguageCode! pricesIncludeTax: Boolean!
}

type HistoryEntry { id: ID! createdAt: DateTime! updatedAt: DateTime! type: String! }

type Customer {
  id: ID!
  createdAt: DateTime!
  updatedAt: DateTime!
  firstName: String!
  lastName: String!
  phoneNumber: String
  emailAddress: String!
  addresses: [Address!]
  user: User
  history(options: HistoryEntryListOptions): HistoryEntryList!
}
type User { id: ID! }
type Country { code: String! name: String! }
type Address {
  id: ID!
  createdAt: DateTime!
  updatedAt: DateTime!
  fullName: String
  company: String
  streetLine1: String!
  streetLine2: String
  city: String
  province: String
  postalCode: String
  country: Country!
  phoneNumber: String
  defaultShippingAddress: Boolean
  defaultBillingAddress: Boolean
}
input UpdateCustomerInput {
  id: ID! firstName: String lastName: String phoneNumber: String emailAddress: String
}
input CreateAddressInput {
  fullName: String
  company: String
  streetLine1: String!
  streetLine2: String
  city: String
  province: String
  postalCode: String
  countryCode: String!
  phoneNumber: String
  defaultShippingAddress: Boolean
  defaultBillingAddress: Boolean
}
input UpdateAddressInput {
  id: ID!
  fullName: String
  company: String
  streetLine1: String
  streetLine2: String
  city: String
  province: String
  postalCode: String
  countryCode: String
  phoneNumber: String
  defaultShippingAddress: Boolean
  defaultBillingAddress: Boolean
}

type Product {
  id: ID!
  createdAt: DateTime!
  updatedAt: DateTime!
  enabled: Boolean!
  name: String!
  description: String!
  variants: [ProductVariant!]!
}
type ProductVariant {
  id: ID!
  product: Product!
  productId: ID!
  createdAt: DateTime!
  updatedAt: DateTime!
  enabled: Boolean!
  sku: String!
  name: String!
  price: Money!
  priceWithTax: Money!
  currencyCode: CurrencyCode!
  taxRateApplied: TaxRate!
  taxCategory: TaxCategory!
  trackInventory: GlobalFlag!
  stockLevels: [StockLevel!]!
}
type TaxRate { name: String! value: Float! }
type TaxCategory { name: String! }
type StockLevel { id: ID! stockLocationId: ID! stockOnHand: Int! stockAllocated: Int! }
input ProductVariantTranslationInput { languageCode: LanguageCode! name: String }
input UpdateProductVariantInput {
  id: ID!
  enabled: Boolean
  translations: [ProductVariantTranslationInput!]
  sku: String
  price: Money
}

type Order {
  id: ID!
  createdAt: DateTime!
  updatedAt: DateTime!
  type: OrderType!
  orderPlacedAt: DateTime
  code: String!
  state: String!
  active: Boolean!
  customer: Customer
  shippingAddress: OrderAddress
  billingAddress: OrderAddress
  lines: [OrderLine!]!
  surcharges: [Surcharge!]!
  discounts: [Discount!]!
  couponCodes: [String!]!
  payments: [Payment!]
  currencyCode: CurrencyCode!
  shippingLines: [ShippingLine!]!
  total: Money!
  totalWithTax: Money!
  taxSummary: [OrderTaxSummary!]!
  history(options: HistoryEntryListOptions): HistoryEntryList!
}
type OrderTaxSummary { description: String! taxRate: Float! taxBase: Money! taxTotal: Money! }
type OrderAddress {
  fullName: String
  company: String
  streetLine1: String
  streetLine2: String
  city: String
  province: String
  postalCode: String
  country: String
  countryCode: String
  phoneNumber: String
}
type OrderLine {
  id: ID!
  productVariant: ProductVariant!
  unitPrice: Money!
  unitPriceWithTax: Money!
  linePrice: Money!
  linePriceWithTax: Money!
  proratedLinePrice: Money!
  proratedLinePriceWithTax: Money!
  quantity: Int!
  orderPlacedQuantity: Int!
  taxRate: Float!
}
type ShippingLine {
  id: ID!
  shippingMethod: ShippingMethod!
  price: Money!
  priceWithTax: Money!
  discountedPrice: Money!
  discountedPriceWithTax: Money!
  discounts: [Discount!]!
}
type ShippingMethod { id: ID! name: String! }
type Surcharge {
  id: ID! description: String! price: Money! priceWithTax: Money! taxRate: Float!
}
type Discount {
  adjustmentSource: String! description: String! amount: Money! amountWithTax: Money!
}
type Payment {
  id: ID!
  createdAt: DateTime!
  updatedAt: DateTime!
  method: String!
  amount: Money!
  state: String!
  transactionId: String
  refunds: [Refund!]!
}
type Refund {
  id: ID!
  createdAt: DateTime!
  updatedAt: DateTime!
  total: Money!
  state: String!
  transactionId: String
  reason: String
  lines: [RefundLine!]!
}
type RefundLine { orderLineId: ID! quantity: Int! }
""" + "".join(_options(kind, names.split()) for kind, names in _LISTED.items())
