"""Billing (расчёт ЖКУ): from the housing stock, readings and tariffs to charges, payment documents and allocation tables."""
