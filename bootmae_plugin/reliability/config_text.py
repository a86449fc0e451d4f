"""The text of a run's config, which mmengine asks for again and again."""

from mmengine.config import Config


class FormattedOnce(Config):
    """A config that formats its text again only after a change.

    mmengine's runner takes the text five times before the first step and once for each
    checkpoint. Each time yapf lays it out anew: .1 s, or 2 s where a path is longer
    than a line. Without yapf (``format_python_code=False``) it is hard to read.
    """

    @classmethod
    def of(cls, config: Config) -> 'FormattedOnce':
        """Return the same config, with the same dictionary."""
        own = cls.__new__(cls)
        own.__dict__.update(config.__dict__)
        return own

    @property
    def pretty_text(self) -> str:
        content = repr(self.to_dict())
        if self.__dict__.get('_formatted', ('', ''))[0] != content:
            self.__dict__['_formatted'] = content, super().pretty_text
        return self.__dict__['_formatted'][1]
