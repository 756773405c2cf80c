"""The part of Shopify's GraphQL Admin API that is served, as in its reference of 2026-10.

Members that are not used are left out, not members that would be refused. `CurrencyCode`,
`CountryCode` and `WeightUnit`, which are long enums, are text here.
"""

from __future__ import annotations

SDL = """
schema { query: QueryRoot mutation: Mutation }

scalar DateTime
"Text, at least one digit after the point: 10.0"
scalar Decimal
"Text, two digits after the point: 10.00"
scalar Money
scalar UnsignedInt64
scalar CurrencyCode
scalar CountryCode
scalar HTML
scalar URL

interface Node { id: ID! }

type PageInfo {
  hasNextPage: Boolean!
  hasPreviousPage: Boolean!
  startCursor: String
  endCursor: String
}

type MoneyV2 { amount: Decimal! currencyCode: CurrencyCode! }
type MoneyBag { shopMoney: MoneyV2! presentmentMoney: MoneyV2! }
type Attribute { key: String! value: String }
type UserError { field: [String!] message: String! }

type QueryRoot {
  shop: Shop!
  node(id: ID!): Node
  nodes(ids: [ID!]!): [Node]!
  customer(id: ID!): Customer
  customers(after: String, before: String, first: Int, last: Int, query: String,
    reverse: Boolean = false, sortKey: CustomerSortKeys = ID): CustomerConnection!
  product(id: ID!): Product
  productVariant(id: ID!): ProductVariant
  products(after: String, before: String, first: Int, last: Int, query: String,
    reverse: Boolean = false, sortKey: ProductSortKeys = ID): ProductConnection!
  order(id: ID!): Order
  orders(after: String, before: String, first: Int, last: Int, query: String,
    reverse: Boolean = false, sortKey: OrderSortKeys = PROCESSED_AT): OrderConnection!
  refund(id: ID!): Refund
}

enum CustomerSortKeys { CREATED_AT ID NAME UPDATED_AT }
enum ProductSortKeys { CREATED_AT ID TITLE UPDATED_AT }
enum OrderSortKeys { CREATED_AT ID ORDER_NUMBER PROCESSED_AT UPDATED_AT }

type Shop implements Node {
  id: ID!
  name: String!
  currencyCode: CurrencyCode!
  taxesIncluded: Boolean!
  taxShipping: Boolean!
  ianaTimezone: String!
  myshopifyDomain: String!
}

type CustomerConnection { edges: [CustomerEdge!]! nodes: [Customer!]! pageInfo: PageInfo! }
type CustomerEdge { cursor: String! node: Customer! }
type Customer implements Node {
  id: ID!
  createdAt: DateTime!
  updatedAt: DateTime!
  displayName: String!
  firstName: String
  lastName: String
  defaultEmailAddress: CustomerEmailAddress
  defaultPhoneNumber: CustomerPhoneNumber
  defaultAddress: MailingAddress
  addressesV2(after: String, first: Int, last: Int, before: String): MailingAddressConnection!
  locale: String!
  note: String
  state: CustomerState!
  tags: [String!]!
  taxExempt: Boolean!
  metafields(after: String, first: Int, last: Int, before: String, namespace: String,
    keys: [String!]): MetafieldConnection!
}
enum CustomerState { DECLINED DISABLED ENABLED INVITED }
type CustomerEmailAddress { emailAddress: String! }
type CustomerPhoneNumber { phoneNumber: String! }

type MailingAddressConnection {
  edges: [MailingAddressEdge!]! nodes: [MailingAddress!]! pageInfo: PageInfo!
}
type MailingAddressEdge { cursor: String! node: MailingAddress! }
type MailingAddress implements Node {
  id: ID!
  name: String
  firstName: String
  lastName: String
  company: String
  address1: String
  address2: String
  zip: String
  city: String
  province: String
  provinceCode: String
  country: String
  countryCodeV2: CountryCode
  phone: String
}

type MetafieldConnection { edges: [MetafieldEdge!]! nodes: [Metafield!]! pageInfo: PageInfo! }
type MetafieldEdge { cursor: String! node: Metafield! }
type Metafield implements Node { id: ID! namespace: String! key: String! value: String! }

type ProductConnection { edges: [ProductEdge!]! nodes: [Product!]! pageInfo: PageInfo! }
type ProductEdge { cursor: String! node: Product! }
enum ProductStatus { ACTIVE ARCHIVED DRAFT UNLISTED }
type Product implements Node {
  id: ID!
  createdAt: DateTime!
  updatedAt: DateTime!
  title: String!
  descriptionHtml: HTML!
  handle: String!
  productType: String!
  vendor: String!
  status: ProductStatus!
  isGiftCard: Boolean!
  hasOnlyDefaultVariant: Boolean!
  onlineStoreUrl: URL
  tags: [String!]!
  variants(after: String, first: Int, last: Int, before: String): ProductVariantConnection!
}
type ProductVariantConnection {
  edges: [ProductVariantEdge!]! nodes: [ProductVariant!]! pageInfo: PageInfo!
}
type ProductVariantEdge { cursor: String! node: ProductVariant! }
type SelectedOption { name: String! value: String! }
type InventoryItem implements Node {
  id: ID! sku: String tracked: Boolean! requiresShipping: Boolean!
}
type ProductVariant implements Node {
  id: ID!
  createdAt: DateTime!
  updatedAt: DateTime!
  title: String!
  displayName: String!
  sku: String
  barcode: String
  price: Money!
  compareAtPrice: Money
  taxable: Boolean!
  inventoryQuantity: Int
  inventoryItem: InventoryItem!
  selectedOptions: [SelectedOption!]!
  product: Product!
}

type OrderConnection { edges: [OrderEdge!]! nodes: [Order!]! pageInfo: PageInfo! }
type OrderEdge { cursor: String! node: Order! }
enum OrderDisplayFinancialStatus {
  AUTHORIZED EXPIRED PAID PARTIALLY_PAID PARTIALLY_REFUNDED PENDING REFUNDED VOIDED
}
enum OrderDisplayFulfillmentStatus {
  FULFILLED IN_PROGRESS ON_HOLD OPEN PARTIALLY_FULFILLED PENDING_FULFILLMENT REQUEST_DECLINED
  RESTOCKED SCHEDULED UNFULFILLED
}
type Order implements Node {
  id: ID!
  name: String!
  createdAt: DateTime!
  processedAt: DateTime!
  updatedAt: DateTime!
  cancelledAt: DateTime
  closedAt: DateTime
  test: Boolean!
  confirmed: Boolean!
  edited: Boolean!
  email: String
  phone: String
  note: String
  poNumber: String
  tags: [String!]!
  customAttributes: [Attribute!]!
  customerLocale: String
  currencyCode: CurrencyCode!
  presentmentCurrencyCode: CurrencyCode!
  taxesIncluded: Boolean!
  taxExempt: Boolean!
  displayFinancialStatus: OrderDisplayFinancialStatus
  displayFulfillmentStatus: OrderDisplayFulfillmentStatus!
  customer: Customer
  billingAddress: MailingAddress
  shippingAddress: MailingAddress
  discountCodes: [String!]!
  lineItems(after: String, first: Int, last: Int, before: String): LineItemConnection!
  shippingLines(after: String, first: Int, last: Int, before: String): ShippingLineConnection!
  additionalFees: [AdditionalFee!]!
  taxLines: [TaxLine!]!
  transactions(first: Int): [OrderTransaction!]!
  refunds(first: Int): [Refund!]!
  fulfillments(first: Int): [Fulfillment!]!
  subtotalPriceSet: MoneyBag
  totalShippingPriceSet: MoneyBag!
  totalDiscountsSet: MoneyBag
  totalTaxSet: MoneyBag
  totalTipReceivedSet: MoneyBag!
  totalPriceSet: MoneyBag!
  currentTotalPriceSet: MoneyBag!
  totalReceivedSet: MoneyBag!
  totalRefundedSet: MoneyBag!
}
type LineItemConnection { edges: [LineItemEdge!]! nodes: [LineItem!]! pageInfo: PageInfo! }
type LineItemEdge { cursor: String! node: LineItem! }
type LineItem implements Node {
  id: ID!
  name: String!
  title: String!
  variantTitle: String
  sku: String
  quantity: Int!
  currentQuantity: Int!
  isGiftCard: Boolean!
  taxable: Boolean!
  variant: ProductVariant
  product: Product
  originalUnitPriceSet: MoneyBag!
  originalTotalSet: MoneyBag!
  discountedTotalSet: MoneyBag!
  discountAllocations: [DiscountAllocation!]!
  taxLines(first: Int): [TaxLine!]!
}
type DiscountAllocation { allocatedAmountSet: MoneyBag! }
type TaxLine { title: String! rate: Float ratePercentage: Float priceSet: MoneyBag! }
type ShippingLineConnection {
  edges: [ShippingLineEdge!]! nodes: [ShippingLine!]! pageInfo: PageInfo!
}
type ShippingLineEdge { cursor: String! node: ShippingLine! }
type ShippingLine {
  id: ID
  title: String!
  code: String
  originalPriceSet: MoneyBag!
  discountedPriceSet: MoneyBag!
  taxLines: [TaxLine!]!
}
type AdditionalFee implements Node { id: ID! name: String! price: MoneyBag! taxLines: [TaxLine!]! }
enum OrderTransactionKind {
  AUTHORIZATION CAPTURE CHANGE EMV_AUTHORIZATION REFUND SALE SUGGESTED_REFUND VOID
}
enum OrderTransactionStatus { AWAITING_RESPONSE ERROR FAILURE PENDING SUCCESS UNKNOWN }
type OrderTransaction implements Node {
  id: ID!
  kind: OrderTransactionKind!
  status: OrderTransactionStatus!
  gateway: String
  formattedGateway: String
  paymentId: String
  createdAt: DateTime!
  processedAt: DateTime
  amountSet: MoneyBag!
}
type Fulfillment implements Node { id: ID! createdAt: DateTime! }

type Refund implements Node {
  id: ID!
  createdAt: DateTime
  updatedAt: DateTime!
  note: String
  totalRefundedSet: MoneyBag!
  order: Order!
  refundLineItems(after: String, first: Int, last: Int, before: String):
    RefundLineItemConnection!
  refundShippingLines(after: String, first: Int, last: Int, before: String):
    RefundShippingLineConnection!
  orderAdjustments(after: String, first: Int, last: Int, before: String):
    OrderAdjustmentConnection!
  transactions(after: String, first: Int, last: Int, before: String): OrderTransactionConnection!
}
type RefundLineItemConnection {
  edges: [RefundLineItemEdge!]! nodes: [RefundLineItem!]! pageInfo: PageInfo!
}
type RefundLineItemEdge { cursor: String! node: RefundLineItem! }
type RefundLineItem {
  id: ID
  lineItem: LineItem!
  quantity: Int!
  priceSet: MoneyBag!
  subtotalSet: MoneyBag!
  totalTaxSet: MoneyBag!
}
type RefundShippingLineConnection {
  edges: [RefundShippingLineEdge!]! nodes: [RefundShippingLine!]! pageInfo: PageInfo!
}
type RefundShippingLineEdge { cursor: String! node: RefundShippingLine! }
type RefundShippingLine implements Node {
  id: ID! shippingLine: ShippingLine! subtotalAmountSet: MoneyBag! taxAmountSet: MoneyBag!
}
type OrderAdjustmentConnection {
  edges: [OrderAdjustmentEdge!]! nodes: [OrderAdjustment!]! pageInfo: PageInfo!
}
type OrderAdjustmentEdge { cursor: String! node: OrderAdjustment! }
enum OrderAdjustmentDiscrepancyReason {
  CUSTOMER DAMAGE FULL_RETURN_BALANCING_ADJUSTMENT PENDING_REFUND_DISCREPANCY REFUND_DISCREPANCY
  RESTOCK
}
type OrderAdjustment implements Node {
  id: ID! amountSet: MoneyBag! taxAmountSet: MoneyBag! reason: OrderAdjustmentDiscrepancyReason
}
type OrderTransactionConnection {
  edges: [OrderTransactionEdge!]! nodes: [OrderTransaction!]! pageInfo: PageInfo!
}
type OrderTransactionEdge { cursor: String! node: OrderTransaction! }

type Mutation {
  customerUpdate(input: CustomerInput!): CustomerUpdatePayload
  customerAddressUpdate(customerId: ID!, addressId: ID!, address: MailingAddressInput!,
    setAsDefault: Boolean): CustomerAddressUpdatePayload
  customerAddressCreate(customerId: ID!, address: MailingAddressInput!, setAsDefault: Boolean):
    CustomerAddressCreatePayload
  orderUpdate(input: OrderInput!): OrderUpdatePayload
  productUpdate(product: ProductUpdateInput): ProductUpdatePayload
  productVariantsBulkUpdate(productId: ID!, variants: [ProductVariantsBulkInput!]!,
    allowPartialUpdates: Boolean = false): ProductVariantsBulkUpdatePayload
}
input CustomerInput {
  id: ID
  email: String
  firstName: String
  lastName: String
  phone: String
  note: String
  locale: String
  taxExempt: Boolean
}
input MailingAddressInput {
  firstName: String
  lastName: String
  company: String
  address1: String
  address2: String
  zip: String
  city: String
  provinceCode: String
  countryCode: CountryCode
  phone: String
}
input AttributeInput { key: String! value: String! }
input OrderInput {
  id: ID! email: String note: String poNumber: String customAttributes: [AttributeInput!]
}
input ProductUpdateInput {
  id: ID title: String descriptionHtml: String productType: String status: ProductStatus
}
input InventoryItemInput { sku: String tracked: Boolean requiresShipping: Boolean }
input ProductVariantsBulkInput {
  id: ID
  price: Money
  compareAtPrice: Money
  barcode: String
  taxable: Boolean
  inventoryItem: InventoryItemInput
}
type CustomerUpdatePayload { customer: Customer userErrors: [UserError!]! }
type CustomerAddressUpdatePayload { address: MailingAddress userErrors: [UserError!]! }
type CustomerAddressCreatePayload { address: MailingAddress userErrors: [UserError!]! }
type OrderUpdatePayload { order: Order userErrors: [UserError!]! }
type ProductUpdatePayload { product: Product userErrors: [UserError!]! }
type ProductVariantsBulkUpdatePayload {
  product: Product productVariants: [ProductVariant!] userErrors: [UserError!]!
}
"""
