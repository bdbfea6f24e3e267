"""A shop, as the imported clock files find it: its tasks do nothing."""


class _Application:
    def app_context(self):
        raise NotImplementedError


def create_app():
    return _Application()


app = create_app()
