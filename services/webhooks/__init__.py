"""Webhooks to suppliers: endpoints and their secrets, the consumer that tells payments, replays, what became of each message."""
