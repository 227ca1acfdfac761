"""Customers, engines, stations and tickets; knows nothing of telephones."""
