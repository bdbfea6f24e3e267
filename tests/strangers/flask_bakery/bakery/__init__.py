"""A bakery's web shop, in Flask."""

import sqlite3
from pathlib import Path

from flask import Flask, current_app, g, jsonify


def create_app():
    app = Flask(__name__)
    app.config["DATABASE"] = str(Path(app.root_path).parent / "bakery.sqlite")
    app.teardown_appcontext(close)

    @app.get("/orders")
    def orders():
        rows = connection().execute("SELECT what, baked FROM orders ORDER BY what").fetchall()
        return jsonify([dict(row) for row in rows])

    return app


def connection():
    if "connection" not in g:
        g.connection = sqlite3.connect(current_app.config["DATABASE"])
        g.connection.row_factory = sqlite3.Row
        g.connection.execute("CREATE TABLE IF NOT EXISTS orders (what TEXT PRIMARY KEY, baked INTEGER DEFAULT 0)")
    return g.connection


def close(_error):
    if "connection" in g:
        g.pop("connection").close()
