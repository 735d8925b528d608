// Package consume is what the engines' durable consumers have in common. A [State] is what a consumer remembers: what
// was delivered, what is acknowledged, which deliveries are open. It is pure: times come from the caller. A [Consumer]
// delivers the messages of a stream by it, and a [Set] is all consumers of a stream, with what the stream's
// retention makes of their acknowledgements. The engine reads and removes messages, and keeps the bytes that
// [Encode] makes of a consumer.
package consume
